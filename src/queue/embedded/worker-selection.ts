import type { GenerationRequest } from '../../inference/contract/request.ts'
import type { WorkerRecord } from './worker-record.ts'

/** Selects a worker for each request, and an idle worker for each suspect. */
export class WorkerSelection {
  readonly #workers = new Set<WorkerRecord>()
  /** Reserved for a suspect: gets no other request until it is idle. */
  #reserved: WorkerRecord | null = null

  get running(): number {
    return [...this.#workers].reduce((sum, worker) => sum + worker.running, 0)
  }

  add(worker: WorkerRecord): void {
    this.#workers.add(worker)
  }

  delete(worker: WorkerRecord): void {
    this.#workers.delete(worker)
    if (this.#reserved === worker) this.#reserved = null
  }

  /** Of the workers with enough free rows, the one with this index; otherwise the one with the most free rows. */
  workerFor(request: GenerationRequest, workerIndex: number | null): WorkerRecord | null {
    const able = [...this.#workers].filter(worker => worker !== this.#reserved && worker.canTake(request))
    const successor = able.find(worker => workerIndex !== null && worker.workerIndex === workerIndex)
    if (successor !== undefined) return successor
    return able.reduce<WorkerRecord | null>((best, worker) => (best === null || worker.freeRows > best.freeRows ? worker : best), null)
  }

  /**
   * A worker without requests. If there is none, one is reserved until it is idle. At most one worker at a time serves
   * suspects, so that with two workers all other requests continue.
   */
  idleWorker(): WorkerRecord | null {
    const workers = [...this.#workers].filter(worker => !worker.isRetired)
    if (workers.some(worker => worker.runsSuspect)) return null
    if (this.#reserved?.isRetired) this.#reserved = null
    const emptiest = workers.reduce<WorkerRecord | null>(
      (best, worker) => (best === null || worker.running < best.running ? worker : best),
      null
    )
    if (emptiest?.running === 0) return emptiest
    this.#reserved ??= emptiest
    return null
  }

  /** No suspect waits for an idle worker. */
  releaseReserved(): void {
    this.#reserved = null
  }
}
