import type { Progress } from '../../queue/worker/job-runner.ts'

/**
 * Tells a worker that works from one that only lives: a hung native call leaves its event loop free, and a stopped
 * process says nothing at all. A heartbeat proves progress when a step has ended since the last one, or when there is
 * nothing to do.
 */
export class ProgressWatch {
  readonly #nowMs: () => number
  #stepsDone = 0
  #provedAtMs: number

  /** @param nowMs  a clock that never jumps */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
    this.#provedAtMs = nowMs()
  }

  /** Milliseconds since the last proof. */
  get ageMs(): number {
    return this.#nowMs() - this.#provedAtMs
  }

  onHeartbeat(progress: Pick<Progress, 'stepsDone' | 'activeRequests'>): void {
    if (progress.stepsDone !== this.#stepsDone || progress.activeRequests === 0) this.prove()
    this.#stepsDone = progress.stepsDone
  }

  prove(): void {
    this.#provedAtMs = this.#nowMs()
  }
}
