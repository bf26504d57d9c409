/** Mistakes that a client may make at once, and per second in the long run. */
const BURST = 128
const PER_SECOND = 16

/** A token bucket over the frames of one socket that were refused for the client's own fault. */
export class MistakeLimit {
  readonly #clock: () => number
  #left = BURST
  #countedAtMs: number

  /** @param clock  milliseconds */
  constructor(clock: () => number) {
    this.#clock = clock
    this.#countedAtMs = clock()
  }

  /** Counts one. @returns whether it was one too many */
  exceeds(): boolean {
    const nowMs = this.#clock()
    this.#left = Math.min(BURST, this.#left + ((nowMs - this.#countedAtMs) * PER_SECOND) / 1000)
    this.#countedAtMs = nowMs
    this.#left -= 1
    return this.#left < 0
  }
}
