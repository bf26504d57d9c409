import type { Timings, Usage } from '../../inference/contract/events.ts'

/** Where the time of a request went, with `timings: true`. Milliseconds. */
export interface WireTimings {
  /** Admission to the first step that computed anything of it. */
  readonly queue_ms: number
  /** That step to the first token. */
  readonly prefill_ms: number
  /** First token to the end. */
  readonly decode_ms: number
  readonly prefill_ms_per_token: number
  /** Over the tokens of all choices. */
  readonly decode_ms_per_token: number
}

export function toWireTimings({ queueMs, prefillMs, decodeMs }: Timings, usage: Usage): WireTimings {
  const computed = usage.promptTokens - usage.cachedTokens
  return {
    queue_ms: queueMs,
    prefill_ms: prefillMs,
    decode_ms: decodeMs,
    prefill_ms_per_token: prefillMs / Math.max(1, computed),
    decode_ms_per_token: decodeMs / Math.max(1, usage.completionTokens)
  }
}
