/** Refused frames that a client may cause in a burst, and per second on average. */
const BURST = 128
const PER_SECOND = 16

/** A token bucket for the frames of one socket that were refused because of the client. */
export class MistakeLimit {
  readonly #clock: () => number
  #left = BURST
  #countedAtMs: number

  /** @param clock  milliseconds */
  constructor(clock: () => number) {
    this.#clock = clock
    this.#countedAtMs = clock()
  }

  /** Counts a refused frame. @returns whether the limit is exceeded */
  exceeds(): boolean {
    const nowMs = this.#clock()
    this.#left = Math.min(BURST, this.#left + ((nowMs - this.#countedAtMs) * PER_SECOND) / 1000)
    this.#countedAtMs = nowMs
    this.#left -= 1
    return this.#left < 0
  }
}
