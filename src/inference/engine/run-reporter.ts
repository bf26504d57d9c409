import type { EngineListener } from '../contract/engine.ts'
import type { Job } from './request/job.ts'

/**
 * Reports which requests are in the current run and which have advanced, so that a crash is attributed to the right
 * ones.
 */
export class RunReporter {
  readonly #listener: Pick<EngineListener, 'running' | 'advanced'>
  #running: ReadonlySet<Job> = new Set()

  constructor(listener: Pick<EngineListener, 'running' | 'advanced'>) {
    this.#listener = listener
  }

  /** @param jobs  of the run that begins, one for each of its rows; none before the engine waits */
  before(jobs: readonly Job[]): void {
    const running = new Set(jobs)
    if (running.size === this.#running.size && running.isSubsetOf(this.#running)) return
    this.#running = running
    this.#listener.running(Array.from(running, job => job.request.id))
  }

  /** This request could not even be taken: the death that follows counts against it and no other. */
  blame(requestId: string): void {
    this.#listener.running([requestId])
  }

  /** The run has succeeded. */
  after(jobs: readonly Job[]): void {
    const advanced = new Set<string>()
    for (const job of jobs) {
      if (job.hasAdvanced || job.isOver) continue
      job.hasAdvanced = true
      advanced.add(job.request.id)
    }
    if (advanced.size > 0) this.#listener.advanced([...advanced])
  }
}
