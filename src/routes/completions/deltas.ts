import type { GeneratedTokenEvent, LoggedEvent, PromptEvent, TokenScore } from '../../inference/contract/events.ts'
import { tokenNames } from '../wire/response/logprob.ts'
import { toCompletionLogprobs } from './logprobs.ts'
import type { CompletionChoice } from './schema.ts'
import type { CompletionView } from './view.ts'

/**
 * The additions of one event to the choices, sorted by index; empty if it adds nothing that a client can see. The
 * result depends on the event alone, so that a stream can be resumed at any entry.
 */
export function toDeltas(view: CompletionView, event: LoggedEvent): readonly CompletionChoice[] {
  switch (event.kind) {
    case 'prompt':
      return promptDeltas(view, event)
    case 'token':
      return tokenDeltas(view, event)
    case 'finished':
      return view.scoresOnly ? endDeltas(view) : []
    case 'started':
    case 'failed':
      return []
    default:
      return event satisfies never
  }
}

/** An echoed prompt is logged once and repeated in each of its choices. */
function promptDeltas(view: CompletionView, event: PromptEvent): readonly CompletionChoice[] {
  const text = view.echo ? event.text : ''
  const scores = [...echoedScores(view, event)]
  const logprobs = scores.length === 0 ? null : toCompletionLogprobs(scores, tokenNames(view.tokensAsIds))
  if (text === '' && logprobs === null) return []
  return promptIndexes(view, event.promptIndex).map(index => ({ text, index, logprobs, finish_reason: null, stop_reason: null }))
}

/** The scores of an echoed prompt. The log may contain more alternatives than `logprobs` requests. */
export function* echoedScores({ echo, topLogprobs }: CompletionView, { scores }: PromptEvent): Generator<TokenScore, void> {
  if (!echo || topLogprobs === null) return
  for (const score of scores ?? []) yield { ...score, top: score.top.slice(0, topLogprobs) }
}

function tokenDeltas(view: CompletionView, event: GeneratedTokenEvent): readonly CompletionChoice[] {
  const logprobs =
    event.score === null || view.topLogprobs === null ? null : toCompletionLogprobs([event.score], tokenNames(view.tokensAsIds))
  if (event.text === '' && logprobs === null && event.end === null && view.tokenIds === null) return []
  return responseIndexes(view, event.choice).map(index => ({
    text: event.text,
    index,
    logprobs,
    finish_reason: event.end?.reason ?? null,
    stop_reason: event.end?.stopString ?? event.end?.stopTokenId ?? null,
    ...(view.tokenIds !== null && { token_ids: [event.tokenId] }),
    ...(event.position === 0 && promptIds(view, index))
  }))
}

/**
 * The indexes that a choice of the log has in the response: its own, those of all equal choices, or none while the best
 * candidates are not known yet.
 */
function responseIndexes(view: CompletionView, choice: number): readonly number[] {
  if (view.computedPerPrompt === view.choicesPerPrompt) return [choice]
  return view.computedPerPrompt === 1 ? promptIndexes(view, choice) : []
}

/** All indexes of one prompt. */
function promptIndexes(view: CompletionView, promptIndex: number): readonly number[] {
  return Array.from({ length: view.choicesPerPrompt }, (_, i) => promptIndex * view.choicesPerPrompt + i)
}

function endDeltas(view: CompletionView): readonly CompletionChoice[] {
  return Array.from({ length: view.promptCount * view.choicesPerPrompt }, (_, index) => ({
    text: '',
    index,
    logprobs: null,
    finish_reason: 'length',
    stop_reason: null,
    ...(view.tokenIds !== null && { token_ids: [] }),
    ...promptIds(view, index)
  }))
}

function promptIds(view: CompletionView, choice: number): { readonly prompt_token_ids?: readonly number[] } {
  const ids = view.tokenIds?.[Math.floor(choice / view.choicesPerPrompt)]
  return ids === undefined ? {} : { prompt_token_ids: ids }
}
