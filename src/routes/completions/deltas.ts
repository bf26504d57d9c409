import type { GeneratedTokenEvent, LoggedEvent, PromptEvent, TokenScore } from '../../inference/contract/events.ts'
import { tokenNames } from '../wire/logprob.ts'
import { type CompletionLogprobs, toCompletionLogprobs } from './completion-logprobs.ts'
import type { CompletionView } from './view.ts'

/** One choice of a chunk. */
export interface CompletionChoice {
  readonly text: string
  readonly index: number
  readonly logprobs: CompletionLogprobs | null
  readonly finish_reason: 'stop' | 'length' | null
  /** vLLM's: the stop string or stop token that ended the choice. */
  readonly stop_reason: string | number | null
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
  const text = view.echo ? event.text : ''
  const scores = [...echoedScores(view, event)]
  const logprobs = scores.length === 0 ? null : toCompletionLogprobs(scores, tokenNames(view.tokensAsIds))
  if (text === '' && logprobs === null) return []
  return indexes(view, event.promptIndex).map(index => ({ text, index, logprobs, finish_reason: null, stop_reason: null }))
}

/** Of a prompt whose log may hold more alternatives than `logprobs` asked for. */
export function* echoedScores({ echo, topLogprobs }: CompletionView, { scores }: PromptEvent): Generator<TokenScore, void> {
  if (!echo || topLogprobs === null) return
  for (const score of scores ?? []) yield { ...score, top: score.top.slice(0, topLogprobs) }
}

function tokenDelta(view: CompletionView, event: GeneratedTokenEvent): readonly CompletionChoice[] {
  const logprobs =
    event.score === null || view.topLogprobs === null ? null : toCompletionLogprobs([event.score], tokenNames(view.tokensAsIds))
  if (event.text === '' && logprobs === null && event.end === null && view.tokenIds === null) return []
  return shownAs(view, event.choice).map(index => ({
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
 * The indexes of a choice of the log: its own, those of all that it stands for, or none before the best of many are
 * known.
 */
function shownAs(view: CompletionView, choice: number): readonly number[] {
  if (view.computedPerPrompt === view.choicesPerPrompt) return [choice]
  return view.computedPerPrompt === 1 ? indexes(view, choice) : []
}

/** All of one prompt. */
function indexes(view: CompletionView, promptIndex: number): readonly number[] {
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
