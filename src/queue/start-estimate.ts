/** Weight of the newest request in the moving average, which so covers about ten requests. */
const NEWEST = 0.2

/** Estimates when a waiting request will start, from the durations of earlier requests. */
export class StartEstimate {
  #averageMs: number | null = null

  /** Records the time from start to end of a request. */
  took(durationMs: number): void {
    this.#averageMs = this.#averageMs === null ? durationMs : this.#averageMs + NEWEST * (durationMs - this.#averageMs)
  }

  /**
   * @param position  1 is next
   * @param running   requests that run at once, of which one ends every `average / running`
   * @returns         milliseconds; null before the first request has ended
   */
  etaMs(position: number, running: number): number | null {
    return this.#averageMs === null ? null : Math.round((position * this.#averageMs) / Math.max(1, running))
  }
}
