import { type GenerationRequest, reservedRows } from '../../inference/contract/request.ts'
import type { WorkerDeath } from '../poison-rule.ts'
import type { WorkerLink } from '../worker-pool.ts'
import type { Job, JobHolder } from './job.ts'

/** The queue's record of one worker: the requests it runs, which of them have advanced, and its free rows. */
export class WorkerRecord implements JobHolder {
  readonly #link: WorkerLink
  readonly #jobs = new Map<string, { readonly job: Job; readonly rows: number }>()
  readonly #advanced = new Set<string>()
  /** Requests of the run in flight. */
  #inRun: readonly string[] = []
  #freeRows: number
  #isRetired = false

  constructor(link: WorkerLink) {
    this.#link = link
    this.#freeRows = link.slots
  }

  get workerIndex(): number | null {
    return this.#link.workerIndex ?? null
  }

  get freeRows(): number {
    return this.#freeRows
  }

  get running(): number {
    return this.#jobs.size
  }

  get jobs(): readonly Job[] {
    return [...this.#jobs.values()].map(({ job }) => job)
  }

  get isRetired(): boolean {
    return this.#isRetired
  }

  /** The worker must get no other request meanwhile. */
  get runsSuspect(): boolean {
    return this.jobs.some(job => job.isSuspect)
  }

  find(requestId: string): Job | undefined {
    return this.#jobs.get(requestId)?.job
  }

  /** A request that needs more rows than the worker has needs all of them, and runs in waves. */
  canTake(request: GenerationRequest): boolean {
    return !this.#isRetired && !this.runsSuspect && this.#weight(request) <= this.#freeRows
  }

  start(job: Job): void {
    const rows = this.#weight(job.request)
    this.#jobs.set(job.request.id, { job, rows })
    this.#freeRows -= rows
    job.worker = this
    job.workerIndex = this.workerIndex
    this.#link.start(
      job.request,
      job.log.entries.map(({ event }) => event)
    )
  }

  release(job: Job): void {
    const { id } = job.request
    this.#freeRows += this.#jobs.get(id)?.rows ?? 0
    this.#jobs.delete(id)
    this.#advanced.delete(id)
    job.worker = null
  }

  cancel(job: Job): void {
    this.#link.cancel(job.request.id)
    this.release(job)
  }

  /** @param requestIds  of the run that begins; none before the worker waits */
  recordRun(requestIds: readonly string[]): void {
    this.#inRun = requestIds
  }

  recordAdvance(requestIds: readonly string[]): void {
    for (const requestId of requestIds) if (this.#jobs.has(requestId)) this.#advanced.add(requestId)
  }

  /** The death of this worker, as it counts for one of its requests. */
  deathOf({ request: { id }, isSuspect, log }: Job): WorkerDeath {
    return { wasInRun: this.#inRun.includes(id), hadAdvanced: this.#advanced.has(id), wasAlone: isSuspect, logEntries: log.last }
  }

  /** The worker gets no more requests. */
  retire(): void {
    this.#isRetired = true
  }

  #weight(request: GenerationRequest): number {
    return Math.min(reservedRows(request), this.#link.slots)
  }
}
