import type { EngineProgress } from '../../inference/contract/engine.ts'

/**
 * Tells a working worker from one that hangs: a hanging native call leaves the event loop free, and a stopped process
 * sends nothing. A heartbeat proves progress when a step has completed since the last one, or when there is no work.
 */
export class ProgressWatch {
  readonly #nowMs: () => number
  #stepsDone = 0
  #provedAtMs: number

  /** @param nowMs  a monotonic clock */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
    this.#provedAtMs = nowMs()
  }

  /** Milliseconds since the last proof. */
  get ageMs(): number {
    return this.#nowMs() - this.#provedAtMs
  }

  onHeartbeat(progress: Pick<EngineProgress, 'stepsDone' | 'activeRequests'>): void {
    if (progress.stepsDone !== this.#stepsDone || progress.activeRequests === 0) this.prove()
    this.#stepsDone = progress.stepsDone
  }

  prove(): void {
    this.#provedAtMs = this.#nowMs()
  }
}
