import type { FinishedEvent, GeneratedTokenEvent, LoggedEvent, PromptEvent } from '../../inference/contract/events.ts'
import { tokenNames } from '../wire/logprob.ts'
import { toPromptLogprobs } from '../wire/prompt-logprobs.ts'
import { toWireTimings } from '../wire/timings.ts'
import { toWireUsage, type WireUsage } from '../wire/usage.ts'
import { type ChatChunkChoice, ChoiceReader, openingOf } from './deltas.ts'
import type { ChatView } from './view.ts'

/** Turns the events of one request, in their order, into chunks. */
export function chunkMaker(view: ChatView): (event: LoggedEvent) => readonly object[] {
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

function promptChunks(view: ChatView, event: PromptEvent): object[] {
  if (view.promptLogprobs === null) return []
  const scores = toPromptLogprobs(event, view.promptLogprobs, tokenNames(view.tokensAsIds))
  return [{ ...chunkHead(view), choices: [], prompt_logprobs: [...scores] }]
}

/** One for each choice, as at OpenAI. */
function tokenChunks(view: ChatView, event: GeneratedTokenEvent, deltas: readonly ChatChunkChoice[]): object[] {
  const { choice, position, cachedTokens = 0 } = event
  const openings = position === 0 ? shownAs(view, choice).map(openingOf) : []
  return [
    ...openings.map(opening => toChunk(view, opening, usageSoFar(view, 0, cachedTokens))),
    ...deltas.map(delta => toChunk(view, delta, usageSoFar(view, position + 1, cachedTokens)))
  ]
}

/** vLLM's `continuous_usage_stats`: of the prompt and the one choice of a chunk. */
function usageSoFar({ promptTokens }: ChatView, completionTokens: number, cachedTokens: number): WireUsage | null {
  return promptTokens === null ? null : toWireUsage({ promptTokens, completionTokens, cachedTokens })
}

/** With `return_token_ids` the first chunk of all carries the prompt's ids. */
function toChunk(view: ChatView, choice: ChatChunkChoice, usage: WireUsage | null): object {
  const isFirst = choice.index === 0 && choice.delta.role !== undefined
  return {
    ...chunkHead(view),
    ...(isFirst && view.promptTokenIds !== null && { prompt_token_ids: view.promptTokenIds }),
    choices: [choice],
    ...(view.includeUsage && { usage })
  }
}

function lastChunk(view: ChatView, { usage, timings }: FinishedEvent): object {
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
    return shownAs(view, event.choice).flatMap(choice => readers[choice]?.read({ ...event, choice }) ?? [])
  }
}

/** The indexes of a choice of the log: its own, or those of all that it stands for. */
function shownAs(view: ChatView, choice: number): readonly number[] {
  return view.areEqual ? Array.from({ length: view.choices }, (_, index) => index) : [choice]
}

const chunkHead = (view: ChatView) => head(view, 'chat.completion.chunk')

export function head(view: ChatView, object: 'chat.completion' | 'chat.completion.chunk') {
  return {
    id: view.id,
    object,
    created: view.created,
    model: view.model,
    ...(view.systemFingerprint !== null && { system_fingerprint: view.systemFingerprint })
  }
}
