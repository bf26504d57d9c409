/** How a worker proves progress: when the run in flight began, and how many have ended. */
export class StepClock {
  readonly #now: () => number
  #stepsDone = 0
  #startedAtMs: number | null = null

  constructor(now: () => number) {
    this.#now = now
  }

  get stepsDone(): number {
    return this.#stepsDone
  }

  /** Unix milliseconds; null between runs. */
  get startedAtMs(): number | null {
    return this.#startedAtMs
  }

  async time<Result>(run: () => Promise<Result>): Promise<Result> {
    this.#startedAtMs = this.#now()
    try {
      return await run()
    } finally {
      this.#startedAtMs = null
      this.#stepsDone++
    }
  }
}
