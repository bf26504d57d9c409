const STUCK_MS = 10_000

export interface WatchdogOptions {
  readonly isConnected: () => boolean
  /** `Claims.stuckSinceMs` */
  readonly stuckSinceMs: () => number | null
  readonly rebuild: () => void
  /** Called when the rebuild did not help. */
  readonly giveUp: () => void
}

/**
 * Acts when a request waits, fits, and cannot be taken for `STUCK_MS`: first BullMQ's worker is rebuilt; if that does
 * not help, the process is replaced.
 */
export class Watchdog {
  readonly #options: WatchdogOptions
  /** Time before this moment does not count. */
  #sinceMs = 0
  #wasRebuilt = false

  constructor(options: WatchdogOptions) {
    this.#options = options
  }

  /** @param nowMs  of `performance.now` */
  check(nowMs: number): void {
    const { isConnected, stuckSinceMs, rebuild, giveUp } = this.#options
    if (!isConnected()) this.#sinceMs = nowMs
    const stuckSince = stuckSinceMs()
    if (stuckSince === null) {
      this.#wasRebuilt = false
      return
    }
    if (nowMs - Math.max(stuckSince, this.#sinceMs) < STUCK_MS) return
    if (this.#wasRebuilt) giveUp()
    else rebuild()
    this.#wasRebuilt = true
    this.#sinceMs = nowMs
  }
}
