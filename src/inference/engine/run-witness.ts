import type { EngineListener } from '../contract/engine.ts'
import type { Job } from './job.ts'

/** Tells whom runs are for and whom they have moved: by it a death is laid at the right door. */
export class RunWitness {
  readonly #listener: Pick<EngineListener, 'running' | 'advanced'>
  #running: ReadonlySet<Job> = new Set()

  constructor(listener: Pick<EngineListener, 'running' | 'advanced'>) {
    this.#listener = listener
  }

  /** @param jobs  of the run that begins, one for each of its rows; none before a rest */
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

  /** The run has brought what it was for. */
  after(jobs: readonly Job[]): void {
    const moved = new Set<string>()
    for (const job of jobs) {
      if (job.hasAdvanced || job.isOver) continue
      job.hasAdvanced = true
      moved.add(job.request.id)
    }
    if (moved.size > 0) this.#listener.advanced([...moved])
  }
}
