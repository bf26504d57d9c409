/** Weight of the newest request in the average: about the last ten count. */
const NEWEST = 0.2

/** When a waiting request is likely to start, from how long others took. */
export class StartEstimate {
  #averageMs: number | null = null

  /** A request finished this long after it was started. */
  took(durationMs: number): void {
    this.#averageMs = this.#averageMs === null ? durationMs : this.#averageMs + NEWEST * (durationMs - this.#averageMs)
  }

  /**
   * @param position  1 is next
   * @param running   requests that run at once: one of them ends every `average / running`
   * @returns         milliseconds; null while nothing is known
   */
  etaMs(position: number, running: number): number | null {
    return this.#averageMs === null ? null : Math.round((position * this.#averageMs) / Math.max(1, running))
  }
}
