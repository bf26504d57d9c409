import type { GeneratedTokenEvent, LoggedEvent, PromptEvent } from '../../inference/contract/events.ts'
import { type LegacyLogprobs, toLegacyLogprobs } from './legacy-logprobs.ts'
import type { CompletionView } from './view.ts'

/** One choice of a response or of a chunk: the two share their shape. */
export interface CompletionChoice {
  readonly text: string
  readonly index: number
  readonly logprobs: LegacyLogprobs | null
  readonly finish_reason: 'stop' | 'length' | null
  /** vLLM's: the stop string that ended the choice. */
  readonly stop_reason: string | null
  /** vLLM's, with `return_token_ids`: generated tokens only. */
  readonly token_ids?: readonly number[]
  /** Once for each choice. */
  readonly prompt_token_ids?: readonly number[]
}

/**
 * What one event of the log adds to the choices, sorted by index; empty if it adds nothing that a client could see.
 * A function of the event alone, so that a stream can be taken up at any entry.
 */
export function toDeltas(view: CompletionView, event: LoggedEvent): readonly CompletionChoice[] {
  switch (event.kind) {
    case 'prompt':
      return promptDeltas(view, event)
    case 'token':
      return tokenDelta(view, event)
    case 'finished':
      return view.scoresOnly ? endDeltas(view) : []
    case 'started':
    case 'failed':
      return []
    default:
      return event satisfies never
  }
}

/** An echoed prompt is read once and belongs to all of its choices. */
function promptDeltas(view: CompletionView, event: PromptEvent): readonly CompletionChoice[] {
  const logprobs = event.scores === null || event.scores.length === 0 ? null : toLegacyLogprobs(event.scores)
  if (event.text === '' && logprobs === null) return []
  const first = event.promptIndex * view.choicesPerPrompt
  return Array.from({ length: view.choicesPerPrompt }, (_, i) => ({
    text: event.text,
    index: first + i,
    logprobs,
    finish_reason: null,
    stop_reason: null
  }))
}

function tokenDelta(view: CompletionView, event: GeneratedTokenEvent): readonly CompletionChoice[] {
  if (event.text === '' && event.score === null && event.end === null && view.tokenIds === null) return []
  return [
    {
      text: event.text,
      index: event.choice,
      logprobs: event.score === null ? null : toLegacyLogprobs([event.score]),
      finish_reason: event.end?.reason ?? null,
      stop_reason: event.end?.stopString ?? null,
      ...(view.tokenIds !== null && { token_ids: [event.tokenId] }),
      ...(event.position === 0 && promptIds(view, event.choice))
    }
  ]
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
