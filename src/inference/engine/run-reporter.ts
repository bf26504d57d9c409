import type { EngineListener } from '../contract/engine.ts'
import type { Job } from './request/job.ts'

/**
 * Emits which requests are in the current run and which have advanced, so that a crash is attributed to the right ones.
 */
export class RunReporter {
  readonly #listener: EngineListener
  #running: ReadonlySet<Job> = new Set()

  constructor(listener: EngineListener) {
    this.#listener = listener
  }

  /** @param jobs  of the next run, one for each of its rows; none before the engine waits */
  before(jobs: readonly Job[]): void {
    const running = new Set(jobs)
    if (running.size === this.#running.size && running.isSubsetOf(this.#running)) return
    this.#running = running
    this.#emitRunning(Array.from(running, job => job.request.id))
  }

  /** This request could not be accepted: the crash that follows counts against it and no other. */
  reportRejected(requestId: string): void {
    this.#emitRunning([requestId])
  }

  /** The run has succeeded. */
  after(jobs: readonly Job[]): void {
    const advanced = new Set<string>()
    for (const job of jobs) {
      if (job.hasAdvanced || job.isOver) continue
      job.hasAdvanced = true
      advanced.add(job.request.id)
    }
    if (advanced.size > 0) this.#listener.emit({ kind: 'advanced', requestIds: [...advanced] })
  }

  #emitRunning(requestIds: readonly string[]): void {
    this.#listener.emit({ kind: 'running', requestIds })
  }
}
