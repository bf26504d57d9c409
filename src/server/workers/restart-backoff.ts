export interface BackoffOptions {
  readonly firstMs: number
  readonly maxMs: number
  /** A worker that was ready this long starts afresh. */
  readonly healthyMs: number
}

/** How long to wait before a dead worker is started again: twice as long each time it dies young. */
export class RestartBackoff {
  readonly #options: BackoffOptions
  #deathsInARow = 0

  constructor(options: BackoffOptions) {
    this.#options = options
  }

  /** @param readyMs  how long the worker that died had been ready */
  nextDelayMs(readyMs: number): number {
    const { firstMs, maxMs, healthyMs } = this.#options
    if (readyMs >= healthyMs) this.#deathsInARow = 0
    return Math.min(maxMs, firstMs * 2 ** this.#deathsInARow++)
  }
}
