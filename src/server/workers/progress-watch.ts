import type { EngineProgress } from '../../inference/contract/engine.ts'

/**
 * Distinguishes a working worker from one that hangs: a hanging native call leaves the event loop free, and a
 * stopped process sends nothing. A heartbeat proves progress when a step has completed since the last one, or when
 * there is no work.
 */
export class ProgressWatch {
  readonly #nowMs: () => number
  #stepsDone = 0
  #timer: NodeJS.Timeout | undefined
  #recheck: NodeJS.Immediate | undefined
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

  /** Calls `onOverdue` at each check that finds no proof within `limitMs()`. */
  start(checkMs: number, limitMs: () => number, onOverdue: () => void): void {
    let lastCheckMs = this.#nowMs()
    this.#timer = setInterval(() => {
      const nowMs = this.#nowMs()
      // This process itself was stopped, and its workers perhaps too: the next check decides.
      const wasStopped = nowMs - lastCheckMs > 2 * checkMs + 100
      lastCheckMs = nowMs
      if (wasStopped || this.ageMs <= limitMs()) return
      // Timers fire before messages that have arrived are read, and a heartbeat may be among them.
      this.#recheck = setImmediate(() => {
        if (this.ageMs > limitMs()) onOverdue()
      })
    }, checkMs).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    clearImmediate(this.#recheck)
  }
}
