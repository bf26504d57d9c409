import type { Timings } from './events.ts'

/** When a request came where, in Unix milliseconds; null: not yet. */
export interface Milestones {
  readonly startedAtMs: number | null
  readonly firstTokenAtMs: number | null
}

/** Of a request that ends now. Clocks of two machines may differ: nothing takes less than no time. */
export function toTimings(admittedAtMs: number, { startedAtMs, firstTokenAtMs }: Milestones, nowMs: number): Timings {
  const started = startedAtMs ?? nowMs
  const firstToken = firstTokenAtMs ?? nowMs
  return {
    queueMs: Math.max(0, started - admittedAtMs),
    prefillMs: Math.max(0, firstToken - started),
    decodeMs: Math.max(0, nowMs - firstToken)
  }
}
