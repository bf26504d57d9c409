export interface Expiry {
  readonly code: 'cancelled' | 'deadline_exceeded'
  readonly message: string
}

/** While Redis was away nobody could renew a lease: readers have this long to do so. */
const EXTENSION_MS = 15_000

/** Judges whether requests have run out of time. */
export class ExpiryJudge {
  #extendedUntilMs = 0

  /** Redis was away, or slow to answer: leases that have run out meanwhile prove nothing yet. */
  extendAfterOutage(nowMs: number): void {
    this.#extendedUntilMs = nowMs + EXTENSION_MS
  }

  /**
   * @param leaseUntil  Unix milliseconds until which it is attended; '0' for ever
   * @param deadline    Unix milliseconds; '0' none
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
