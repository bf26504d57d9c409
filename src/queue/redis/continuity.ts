import { hasEnded, type RequestStore, type Standing } from './request-store.ts'
import type { Tail } from './tail.ts'

/** A worker that holds what Redis has lost writes it again within this time. */
const REWRITE_MS = 10_000

/**
 * Redis may have come back without the last second, or without anything. A log that is shorter than what was read of it becomes whole again when its
 * worker writes the very same once more; whatever another worker would write there instead must not be told, and is not.
 */
export async function checkContinuity(store: RequestStore, tails: readonly Tail[], nowMs: number): Promise<void> {
  const standings = await store.standings(tails.map(({ requestId }) => requestId))
  for (const [index, tail] of tails.entries()) judge(tail, standings[index] ?? null, nowMs)
}

function judge(tail: Tail, standing: Standing | null, nowMs: number): void {
  if (tail.hasEnded) return
  if (standing === null) {
    tail.fail('its log is gone')
    return
  }
  if (standing.last >= tail.last) {
    tail.shortage = null
    return
  }
  tail.shortage ??= { sinceMs: nowMs, epoch: standing.epoch }
  const { sinceMs, epoch } = tail.shortage
  if (hasEnded(standing) || standing.epoch !== epoch || nowMs - sinceMs > REWRITE_MS) tail.fail('the end of its log is gone')
}
