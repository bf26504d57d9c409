import type { FinishedEvent, GeneratedTokenEvent, LoggedEvent, PromptEvent } from '../../inference/contract/events.ts'
import { tokenNames } from '../wire/response/logprob.ts'
import { toPromptLogprobs } from '../wire/response/prompt-logprobs.ts'
import { toWireTimings } from '../wire/response/timings.ts'
import { toWireUsage, type WireUsage } from '../wire/response/usage.ts'
import { ChoiceReader, openingOf } from './deltas.ts'
import type { ChatChunkChoice, ChatCompletionChunk } from './schema.ts'
import type { ChatView } from './view.ts'

/** Returns a function that converts the events of one request, in order, to chunks. */
export function chunkMaker(view: ChatView): (event: LoggedEvent) => readonly ChatCompletionChunk[] {
  const deltas = deltaMaker(view)
  return event => {
    switch (event.kind) {
      case 'token':
        return tokenChunks(view, event, deltas(event))
      case 'prompt':
        return promptChunks(view, event)
      case 'finished':
        return view.includeUsage || view.withTimings ? [lastChunk(view, event)] : []
      case 'started':
      case 'failed':
        return []
      default:
        return event satisfies never
    }
  }
}

function promptChunks(view: ChatView, event: PromptEvent): ChatCompletionChunk[] {
  if (view.promptLogprobs === null) return []
  const scores = toPromptLogprobs(event, view.promptLogprobs, tokenNames(view.tokensAsIds))
  return [{ ...chunkHead(view), choices: [], prompt_logprobs: [...scores] }]
}

/** One chunk per choice, as at OpenAI. */
function tokenChunks(view: ChatView, event: GeneratedTokenEvent, deltas: readonly ChatChunkChoice[]): ChatCompletionChunk[] {
  const { choice, position, cachedTokens = 0 } = event
  const openings = position === 0 ? responseIndexes(view, choice).map(openingOf) : []
  return [
    ...openings.map(opening => toChunk(view, opening, usageSoFar(view, 0, cachedTokens))),
    ...deltas.map(delta => toChunk(view, delta, usageSoFar(view, position + 1, cachedTokens)))
  ]
}

/** vLLM's `continuous_usage_stats`: counts the prompt and the one choice of a chunk. */
function usageSoFar({ promptTokens }: ChatView, completionTokens: number, cachedTokens: number): WireUsage | null {
  return promptTokens === null ? null : toWireUsage({ promptTokens, completionTokens, cachedTokens })
}

/** With `return_token_ids` the first chunk of the stream contains the ids of the prompt. */
function toChunk(view: ChatView, choice: ChatChunkChoice, usage: WireUsage | null): ChatCompletionChunk {
  const isFirst = choice.index === 0 && choice.delta.role !== undefined
  return {
    ...chunkHead(view),
    ...(isFirst && view.promptTokenIds !== null && { prompt_token_ids: view.promptTokenIds }),
    choices: [choice],
    ...(view.includeUsage && { usage })
  }
}

function lastChunk(view: ChatView, { usage, timings }: FinishedEvent): ChatCompletionChunk {
  return {
    ...chunkHead(view),
    choices: [],
    ...(view.includeUsage && { usage: toWireUsage(usage) }),
    ...(view.withTimings && { timings: toWireTimings(timings, usage) })
  }
}

function deltaMaker(view: ChatView): (event: LoggedEvent) => readonly ChatChunkChoice[] {
  const readers = Array.from({ length: view.choices }, () => new ChoiceReader(view))
  return event => {
    if (event.kind !== 'token') return []
    return responseIndexes(view, event.choice).flatMap(choice => readers[choice]?.read({ ...event, choice }) ?? [])
  }
}

/** The indexes that a choice of the log has in the response: its own, or those of all equal choices. */
function responseIndexes(view: ChatView, choice: number): readonly number[] {
  return view.areEqual ? Array.from({ length: view.choices }, (_, index) => index) : [choice]
}

const chunkHead = (view: ChatView) => head(view, 'chat.completion.chunk')

export function head<Kind extends 'chat.completion' | 'chat.completion.chunk'>(view: ChatView, object: Kind) {
  return {
    id: view.id,
    object,
    created: view.created,
    model: view.model,
    ...(view.systemFingerprint !== null && { system_fingerprint: view.systemFingerprint })
  }
}
