import type { FinishedEvent, LoggedEvent } from '../../inference/contract/events.ts'
import { toWireTimings } from '../wire/response/timings.ts'
import { toWireUsage, type WireUsage } from '../wire/response/usage.ts'
import { toDeltas } from './deltas.ts'
import type { Completion, CompletionChoice } from './schema.ts'
import type { CompletionView } from './view.ts'

/**
 * The chunks for one event: usually one, none if the event adds nothing, and one per choice if the choices are long.
 */
export function* toChunks(view: CompletionView, event: LoggedEvent): Generator<Completion, void> {
  const deltas = toDeltas(view, event)
  const groups = deltas.some(isLong) ? deltas.map(delta => [delta]) : deltas.length > 0 ? [deltas] : []
  for (const choices of groups) yield { ...head(view), choices, ...(view.includeUsage && { usage: usageSoFar(view, event) }) }
}

/** The last chunk of a stream with usage or timings. */
export function toLastChunk(view: CompletionView, { usage, timings }: FinishedEvent): Completion {
  return {
    ...head(view),
    choices: [],
    ...(view.includeUsage && { usage: toWireUsage(usage) }),
    ...(view.withTimings && { timings: toWireTimings(timings, usage) })
  }
}

export function head(view: CompletionView) {
  return {
    id: view.id,
    object: 'text_completion' as const,
    created: view.created,
    model: view.model,
    ...(view.systemFingerprint !== null && { system_fingerprint: view.systemFingerprint })
  }
}

/** Contains the scores of several prompt tokens, or the ids of a whole prompt. */
function isLong({ logprobs, prompt_token_ids }: CompletionChoice): boolean {
  return prompt_token_ids !== undefined || (logprobs !== null && logprobs.tokens.length > 1)
}

/**
 * vLLM's `continuous_usage_stats`: counts the prompt and the one choice that a chunk continues, so that every chunk
 * depends on its event alone.
 */
function usageSoFar(view: CompletionView, event: LoggedEvent): WireUsage | null {
  if (view.promptTokens === null || event.kind !== 'token') return null
  const promptTokens = view.promptTokens[Math.floor(event.choice / view.computedPerPrompt)] ?? 0
  return toWireUsage({ promptTokens, completionTokens: event.position + 1, cachedTokens: event.cachedTokens ?? 0 })
}
