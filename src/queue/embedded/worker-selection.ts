import type { GenerationRequest } from '../../inference/contract/request.ts'
import type { WorkerRecord } from './worker-record.ts'

/** Who sits where: finds a worker for each request, and an empty one for each suspect. */
export class WorkerSelection {
  readonly #workers = new Set<WorkerRecord>()
  /** Gets nothing more until it is empty, and then a suspect. */
  #kept: WorkerRecord | null = null

  get running(): number {
    return [...this.#workers].reduce((sum, worker) => sum + worker.running, 0)
  }

  add(worker: WorkerRecord): void {
    this.#workers.add(worker)
  }

  delete(worker: WorkerRecord): void {
    this.#workers.delete(worker)
    if (this.#kept === worker) this.#kept = null
  }

  /** Of those that can take it the one of its slot, else the one with the most free rows. */
  workerFor(request: GenerationRequest, workerIndex: number | null): WorkerRecord | null {
    const able = [...this.#workers].filter(worker => worker !== this.#kept && worker.canTake(request))
    const successor = able.find(worker => workerIndex !== null && worker.workerIndex === workerIndex)
    if (successor !== undefined) return successor
    return able.reduce<WorkerRecord | null>((best, worker) => (best === null || worker.freeRows > best.freeRows ? worker : best), null)
  }

  /**
   * A worker with nothing on it. Where there is none, one is kept from all others until it is empty; never more than
   * one at a time serves suspects, so that where there are two workers the rest goes on.
   */
  idleWorker(): WorkerRecord | null {
    const workers = [...this.#workers].filter(worker => !worker.isRetired)
    if (workers.some(worker => worker.runsSuspect)) return null
    if (this.#kept?.isRetired) this.#kept = null
    const emptiest = workers.reduce<WorkerRecord | null>(
      (best, worker) => (best === null || worker.running < best.running ? worker : best),
      null
    )
    if (emptiest?.running === 0) return emptiest
    this.#kept ??= emptiest
    return null
  }

  /** No suspect waits for an idle worker (any more). */
  keepNone(): void {
    this.#kept = null
  }
}
