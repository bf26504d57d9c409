import type { Timings } from './events.ts'

/** Unix milliseconds; null until it happens. */
export interface RequestTimestamps {
  readonly startedAtMs: number | null
  readonly firstTokenAtMs: number | null
}

/** Durations of a request that ends now. Clocks of two machines may differ: negative differences become 0. */
export function toTimings(admittedAtMs: number, { startedAtMs, firstTokenAtMs }: RequestTimestamps, nowMs: number): Timings {
  const started = startedAtMs ?? nowMs
  const firstToken = firstTokenAtMs ?? nowMs
  return {
    queueMs: Math.max(0, started - admittedAtMs),
    prefillMs: Math.max(0, firstToken - started),
    decodeMs: Math.max(0, nowMs - firstToken)
  }
}
