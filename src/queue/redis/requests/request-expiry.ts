import type { Failure } from '../../../inference/contract/errors.ts'
import { FAILURES } from '../../failures.ts'

/** No lease can be renewed while Redis is away: afterwards readers have this long to do so. */
const EXTENSION_MS = 15_000

/** Decides whether the lease or the deadline of a request has passed. */
export class ExpiryJudge {
  #extendedUntilMs = 0

  /** To be called when Redis was away or slow: leases that have expired meanwhile end nothing yet. */
  extendAfterOutage(nowMs: number): void {
    this.#extendedUntilMs = nowMs + EXTENSION_MS
  }

  /**
   * @param leaseUntil  Unix milliseconds until which the request runs without a reader; '0' for ever
   * @param deadline    Unix milliseconds; '0' none
   * @returns           why the request must end; null when it may continue
   */
  judge(leaseUntil: string | null | undefined, deadline: string | null | undefined, nowMs: number): Failure | null {
    if (isPast(deadline, nowMs)) return FAILURES.overdue
    return nowMs >= this.#extendedUntilMs && isPast(leaseUntil, nowMs) ? FAILURES.unread : null
  }
}

function isPast(time: string | null | undefined, nowMs: number): boolean {
  const ms = Number(time ?? 0)
  return ms > 0 && ms <= nowMs
}
