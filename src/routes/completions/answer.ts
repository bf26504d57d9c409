import type { FinishedEvent, GeneratedTokenEvent, PromptEvent, TokenScore } from '../../inference/contract/events.ts'
import type { AnswerInProgress } from '../wire/dialect.ts'
import { LazyList } from '../wire/json/json-pieces.ts'
import { tokenNames } from '../wire/response/logprob.ts'
import { allPromptLogprobs } from '../wire/response/prompt-logprobs.ts'
import { toWireTimings } from '../wire/response/timings.ts'
import { toWireUsage } from '../wire/response/usage.ts'
import type { LazyWire } from '../wire/response/wire-type.ts'
import { echoedScores } from './deltas.ts'
import { toLazyLogprobs } from './logprobs.ts'
import { head } from './present.ts'
import type { ChoiceSchema, CompletionSchema } from './schema.ts'
import type { CompletionView } from './view.ts'

/** A choice in the log. Its token events are kept only if the response lists tokens. */
interface ChoiceState {
  text: string
  hasBegun: boolean
  end: GeneratedTokenEvent['end']
  readonly tokens: GeneratedTokenEvent[]
}

/** The echoed text of a prompt, and its events with scores. */
interface PromptState {
  text: string
  readonly events: PromptEvent[]
}

/**
 * A whole response that is built event by event. Long lists keep references to events, which the log shares, and are
 * converted while the response is sent. Of several candidates per prompt it shows the best according to the final
 * ranking, and before the end the first ones.
 */
export function openCompletion(view: CompletionView): AnswerInProgress {
  const { promptCount, computedPerPrompt, choicesPerPrompt } = view
  const choices = Array.from(
    { length: promptCount * computedPerPrompt },
    (): ChoiceState => ({ text: '', hasBegun: false, end: null, tokens: [] })
  )
  const prompts = Array.from({ length: promptCount }, (): PromptState => ({ text: '', events: [] }))
  const listsTokens = view.topLogprobs !== null || view.tokenIds !== null
  let finished: FinishedEvent | null = null

  function toChoice(choiceIndex: number, index: number): LazyWire<typeof ChoiceSchema> {
    const promptIndex = Math.floor(choiceIndex / computedPerPrompt)
    const choice = choices[choiceIndex]
    const prompt = prompts[promptIndex]
    const hasEnded = view.scoresOnly && finished !== null
    const promptIds = choice?.hasBegun === true || hasEnded ? view.tokenIds?.[promptIndex] : undefined
    return {
      text: `${prompt?.text ?? ''}${choice?.text ?? ''}`,
      index,
      logprobs:
        view.topLogprobs === null
          ? null
          : toLazyLogprobs(() => scoresOf(view, prompt?.events ?? [], choice?.tokens ?? []), tokenNames(view.tokensAsIds)),
      finish_reason: choice?.end?.reason ?? (hasEnded ? 'length' : null),
      stop_reason: choice?.end?.stopString ?? choice?.end?.stopTokenId ?? null,
      ...(view.tokenIds !== null && { token_ids: new LazyList(() => idsOf(choice?.tokens ?? [])) }),
      ...(promptIds !== undefined && { prompt_token_ids: promptIds }),
      ...(view.promptLogprobs !== null && { prompt_logprobs: promptLogprobs(view, prompt?.events ?? []) })
    }
  }

  /** Indexes in the log of the choices that the response shows. */
  function shownChoices(): readonly number[] {
    if (finished?.ranking !== undefined) return finished.ranking
    const offsets = Array.from({ length: choicesPerPrompt }, (_, i) => Math.min(i, computedPerPrompt - 1))
    return prompts.flatMap((_, promptIndex) => offsets.map(offset => promptIndex * computedPerPrompt + offset))
  }

  return {
    push(event) {
      if (event.kind === 'finished') finished = event
      if (event.kind === 'prompt') {
        const prompt = prompts[event.promptIndex]
        if (view.echo && prompt !== undefined) prompt.text += event.text
        if (event.scores !== null) prompt?.events.push(event)
      }
      const choice = event.kind === 'token' ? choices[event.choice] : undefined
      if (event.kind !== 'token' || choice === undefined) return
      choice.text += event.text
      choice.hasBegun = true
      choice.end = event.end
      if (listsTokens) choice.tokens.push(event)
    },
    toResponse: (): LazyWire<typeof CompletionSchema> => ({
      ...head(view),
      choices: shownChoices().map(toChoice),
      usage: finished === null ? null : toWireUsage(finished.usage),
      ...(view.withTimings && finished !== null && { timings: toWireTimings(finished.timings, finished.usage) })
    })
  }
}

function* scoresOf(
  view: CompletionView,
  prompt: readonly PromptEvent[],
  tokens: readonly GeneratedTokenEvent[]
): Generator<TokenScore, void> {
  for (const event of prompt) yield* echoedScores(view, event)
  for (const { score } of tokens) if (score !== null) yield score
}

function* idsOf(tokens: readonly GeneratedTokenEvent[]): Generator<number, void> {
  for (const { tokenId } of tokens) yield tokenId
}

function promptLogprobs({ promptLogprobs: count, tokensAsIds }: CompletionView, events: readonly PromptEvent[]) {
  return new LazyList(() => allPromptLogprobs(events, count ?? 0, tokenNames(tokensAsIds)))
}
