/** Calls at a steady pace while there is work, and never otherwise: the one timer of the simulated engine. */
export class StepTimer {
  readonly #stepMs: number
  readonly #step: () => boolean
  #cancelNext: (() => void) | null = null
  /** Where the pace says that the next step ends, in milliseconds of the monotonic clock. */
  #dueMs = 0
  #startedAtMs: number | null = null
  #stepsDone = 0

  /** @param step returns whether another one is wanted */
  constructor(stepMs: number, step: () => boolean) {
    this.#stepMs = stepMs
    this.#step = step
  }

  get stepsDone(): number {
    return this.#stepsDone
  }

  /** Unix milliseconds at which the step that is being waited for began. */
  get startedAtMs(): number | null {
    return this.#startedAtMs
  }

  /** There is work from now on. */
  run(): void {
    if (this.#cancelNext !== null) return
    this.#dueMs = performance.now() + this.#stepMs
    this.#wait()
  }

  /** There is none any more. */
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
    // The step may have ended all work itself, and begun new.
    if (this.#cancelNext !== firing) return
    if (!hasMore) {
      this.rest()
      return
    }
    // A late step shortens the next one, so that the pace is kept; whole steps that were missed are not made up for.
    this.#dueMs = Math.max(this.#dueMs + this.#stepMs, performance.now())
    this.#wait()
  }
}
