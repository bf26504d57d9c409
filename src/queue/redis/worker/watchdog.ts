const STUCK_MS = 10_000

export interface WatchdogOptions {
  readonly isConnected: () => boolean
  /** As `Claims` says it. */
  readonly stuckSinceMs: () => number | null
  readonly rebuild: () => void
  /** Rebuilding did not help. */
  readonly giveUp: () => void
}

/**
 * Work waits, there is room, and it is not had: BullMQ's worker is built anew, and if that does not help, the process
 * has to be.
 */
export class Watchdog {
  readonly #options: WatchdogOptions
  /** No judgement from before this moment. */
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
