export interface Expiry {
  readonly code: 'cancelled' | 'deadline_exceeded'
  readonly message: string
}

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
  judge(leaseUntil: string | null | undefined, deadline: string | null | undefined, nowMs: number): Expiry | null {
    if (isPast(deadline, nowMs)) return { code: 'deadline_exceeded', message: 'the request did not end before its deadline' }
    if (nowMs >= this.#extendedUntilMs && isPast(leaseUntil, nowMs))
      return { code: 'cancelled', message: 'nobody read the request any more' }
    return null
  }
}

function isPast(time: string | null | undefined, nowMs: number): boolean {
  const ms = Number(time ?? 0)
  return ms > 0 && ms <= nowMs
}
