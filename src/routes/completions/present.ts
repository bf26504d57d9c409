import type { FinishedEvent, LoggedEvent } from '../../inference/contract/events.ts'
import { toWireTimings, type WireTimings } from '../wire/timings.ts'
import { toWireUsage, type WireUsage } from '../wire/usage.ts'
import { type CompletionChoice, toDeltas } from './deltas.ts'
import type { CompletionView } from './view.ts'

/** One chunk of a stream: its `object` is that of a whole response. */
export interface CompletionChunk {
  readonly id: string
  readonly object: 'text_completion'
  readonly created: number
  readonly model: string
  readonly system_fingerprint?: string
  readonly choices: readonly CompletionChoice[]
  readonly usage?: WireUsage | null
  readonly timings?: WireTimings
}

/**
 * The chunks that one event of the log makes: one as a rule, none if it shows nothing, one for each choice if each is
 * long.
 */
export function* toChunks(view: CompletionView, event: LoggedEvent): Generator<CompletionChunk, void> {
  const deltas = toDeltas(view, event)
  const groups = deltas.some(isLong) ? deltas.map(delta => [delta]) : deltas.length > 0 ? [deltas] : []
  for (const choices of groups) yield { ...head(view), choices, ...(view.includeUsage && { usage: usageSoFar(view, event) }) }
}

/** The last chunk of a stream that tells usage or timings. */
export function toLastChunk(view: CompletionView, { usage, timings }: FinishedEvent): CompletionChunk {
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

/** Scores of a whole piece of a prompt, or all of its ids. */
function isLong({ logprobs, prompt_token_ids }: CompletionChoice): boolean {
  return prompt_token_ids !== undefined || (logprobs !== null && logprobs.tokens.length > 1)
}

/**
 * vLLM's `continuous_usage_stats`: of the prompt and the one choice that a chunk goes on with, so that any chunk can be
 * made from its event alone.
 */
function usageSoFar(view: CompletionView, event: LoggedEvent): WireUsage | null {
  if (view.promptTokens === null || event.kind !== 'token') return null
  const promptTokens = view.promptTokens[Math.floor(event.choice / view.computedPerPrompt)] ?? 0
  return toWireUsage({ promptTokens, completionTokens: event.position + 1, cachedTokens: event.cachedTokens ?? 0 })
}
