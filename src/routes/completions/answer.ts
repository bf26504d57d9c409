import type { FinishedEvent, GeneratedTokenEvent, PromptEvent, TokenScore } from '../../inference/contract/events.ts'
import type { AnswerInProgress } from '../wire/dialect.ts'
import { LazyList } from '../wire/json-pieces.ts'
import { tokenNames } from '../wire/logprob.ts'
import { type PromptLogprob, toPromptLogprobs } from '../wire/prompt-logprobs.ts'
import { toWireTimings } from '../wire/timings.ts'
import { toWireUsage } from '../wire/usage.ts'
import { toLazyLogprobs } from './completion-logprobs.ts'
import { echoedScores } from './deltas.ts'
import { head } from './present.ts'
import type { CompletionView } from './view.ts'

/** A choice of the log. Its events are kept only where the answer lists its tokens. */
interface ChoiceState {
  text: string
  hasBegun: boolean
  end: GeneratedTokenEvent['end']
  readonly tokens: GeneratedTokenEvent[]
}

/** A prompt of the log, if it is part of the answer. */
interface Echoed {
  text: string
  readonly events: PromptEvent[]
}

/**
 * A whole response that grows event by event. It holds events, which the log shares, and makes of them what it says
 * while that is written. Of many choices the best are shown as they are ranked in the end, and before that the first.
 */
export function openCompletion(view: CompletionView): AnswerInProgress {
  const { promptCount, computedPerPrompt, choicesPerPrompt } = view
  const choices = Array.from(
    { length: promptCount * computedPerPrompt },
    (): ChoiceState => ({ text: '', hasBegun: false, end: null, tokens: [] })
  )
  const prompts = Array.from({ length: promptCount }, (): Echoed => ({ text: '', events: [] }))
  const listsTokens = view.topLogprobs !== null || view.tokenIds !== null
  let end: FinishedEvent | null = null

  function toChoice(computed: number, index: number) {
    const promptIndex = Math.floor(computed / computedPerPrompt)
    const choice = choices[computed]
    const prompt = prompts[promptIndex]
    const hasEnded = view.scoresOnly && end !== null
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

  /** By their numbers in the log. */
  function shown(): readonly number[] {
    if (end?.ranking !== undefined) return end.ranking
    const ofEach = Array.from({ length: choicesPerPrompt }, (_, i) => Math.min(i, computedPerPrompt - 1))
    return prompts.flatMap((_, promptIndex) => ofEach.map(i => promptIndex * computedPerPrompt + i))
  }

  return {
    push(event) {
      if (event.kind === 'finished') end = event
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
    toResponse: () => ({
      ...head(view),
      choices: shown().map(toChoice),
      usage: end === null ? null : toWireUsage(end.usage),
      ...(view.withTimings && end !== null && { timings: toWireTimings(end.timings, end.usage) })
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

function promptLogprobs({ promptLogprobs: count, tokensAsIds }: CompletionView, events: readonly PromptEvent[]): LazyList<PromptLogprob> {
  const nameOf = tokenNames(tokensAsIds)
  return new LazyList(function* () {
    for (const event of events) yield* toPromptLogprobs(event, count ?? 0, nameOf)
  })
}
