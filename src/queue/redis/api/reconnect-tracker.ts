import { REWRITE_MS } from './verify-logs.ts'

/** Whether Redis has come back so lately that workers may still be writing again what it lost. */
export class ReconnectTracker {
  #cutAtMs = Number.NEGATIVE_INFINITY

  /** @param connection  closes once more for each attempt that fails */
  constructor(connection: { on(event: 'close', listener: () => void): unknown }) {
    connection.on('close', () => {
      this.#cutAtMs = performance.now()
    })
  }

  get isRecent(): boolean {
    return performance.now() - this.#cutAtMs < REWRITE_MS
  }
}
