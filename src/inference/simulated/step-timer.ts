/** Calls `step` at a steady pace while there is work. The only timer of the simulated engine. */
export class StepTimer {
  readonly #stepMs: number
  readonly #step: () => boolean
  #cancelNext: (() => void) | null = null
  /** When the next step should end, in milliseconds of the monotonic clock. */
  #dueMs = 0
  #startedAtMs: number | null = null
  #stepsDone = 0

  /** @param step  returns whether there is more work */
  constructor(stepMs: number, step: () => boolean) {
    this.#stepMs = stepMs
    this.#step = step
  }

  get stepsDone(): number {
    return this.#stepsDone
  }

  /** Unix milliseconds at which the current step began; null without work. */
  get startedAtMs(): number | null {
    return this.#startedAtMs
  }

  /** Starts the steps. A no-op while they run. */
  run(): void {
    if (this.#cancelNext !== null) return
    this.#dueMs = performance.now() + this.#stepMs
    this.#wait()
  }

  /** Stops the steps. */
  rest(): void {
    this.#cancelNext?.()
    this.#cancelNext = null
    this.#startedAtMs = null
  }

  #wait(): void {
    this.#startedAtMs = Date.now()
    if (this.#stepMs === 0) {
      const immediate = setImmediate(() => this.#fire())
      this.#cancelNext = () => clearImmediate(immediate)
      return
    }
    const timeout = setTimeout(() => this.#fire(), Math.max(0, this.#dueMs - performance.now()))
    this.#cancelNext = () => clearTimeout(timeout)
  }

  #fire(): void {
    this.#stepsDone++
    const firing = this.#cancelNext
    const hasMore = this.#step()
    // The step may have stopped the timer, and may have started it again.
    if (this.#cancelNext !== firing) return
    if (!hasMore) {
      this.rest()
      return
    }
    // A late step shortens the next one, so that the pace is kept. Missed steps are not repeated.
    this.#dueMs = Math.max(this.#dueMs + this.#stepMs, performance.now())
    this.#wait()
  }
}
