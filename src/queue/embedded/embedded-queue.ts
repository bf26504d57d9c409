import type { DeliveryPolicy } from '../../inference/contract/delivery-policy.ts'
import type { EngineSignal, StepEvents } from '../../inference/contract/engine.ts'
import { type Failure, ServiceError } from '../../inference/contract/errors.ts'
import { isTerminal, type LogEntry, type LoggedEvent, type QueuedEvent } from '../../inference/contract/events.ts'
import { type GenerationRequest, promptTokensOf } from '../../inference/contract/request.ts'
import { FAILURES, queueFull, SHUTTING_DOWN } from '../failures.ts'
import { LogStore, type LogStoreOptions } from '../log/log-store.ts'
import { CLEAN_RECORD, judgeDeath } from '../poison-rule.ts'
import type { GenerationQueue, QueueDepth, QueueEvent, RequestSnapshot } from '../queue.ts'
import { StartEstimate } from '../start-estimate.ts'
import type { WorkerHandle, WorkerLink, WorkerPool } from '../worker-pool.ts'
import type { Job } from './job.ts'
import { Lease } from './lease.ts'
import { WaitQueue } from './wait-queue.ts'
import { WorkerRecord } from './worker-record.ts'
import { WorkerSelection } from './worker-selection.ts'

export interface EmbeddedQueueOptions extends LogStoreOptions {
  /** How many requests may wait. */
  readonly waitingLimit: number
  /** Prompt tokens of all waiting requests; a single request may exceed it. */
  readonly waitingTokenLimit: number
  /** How long a request continues without a reader, unless its policy on disconnect is `run`. */
  readonly resumeGraceMs: number
}

const DEFAULTS: EmbeddedQueueOptions = {
  waitingLimit: 256,
  waitingTokenLimit: 4_000_000,
  resumeGraceMs: 60_000,
  retentionMs: 60_000,
  streamRetentionMs: 600_000,
  retainedTokens: 1_000_000
}

/** The queue in the memory of the API process. */
export class EmbeddedQueue implements GenerationQueue, WorkerPool {
  readonly #options: EmbeddedQueueOptions
  readonly #waitQueue = new WaitQueue()
  readonly #workers = new WorkerSelection()
  readonly #logs: LogStore
  readonly #estimate = new StartEstimate()
  /** Requests that have not ended, by id. */
  readonly #jobs = new Map<string, Job>()
  #arrivals = 0
  #handedOn = 0
  readonly #idleListeners = new Set<() => void>()
  /** Why no request is admitted any more; null while requests are admitted. */
  #refusal: string | null = null

  constructor(options: Partial<EmbeddedQueueOptions> = {}) {
    this.#options = { ...DEFAULTS, ...options }
    this.#logs = new LogStore(this.#options)
  }

  async submit(request: GenerationRequest): Promise<string> {
    const { id, delivery } = request
    const claimedBy = this.#logs.claimed(delivery)
    if (claimedBy !== null) return claimedBy
    if (this.#refusal !== null) throw new ServiceError('unavailable', this.#refusal)
    this.#refuseIfFull(request)
    const job: Job = {
      request,
      log: this.#logs.open(id, delivery),
      lease: new Lease(delivery, this.#options.resumeGraceMs, failure => this.#end(job, failure)),
      arrival: this.#arrivals++,
      worker: null,
      workerIndex: null,
      firstStartMs: null,
      isReturned: false,
      deaths: CLEAN_RECORD,
      isSuspect: false
    }
    this.#jobs.set(id, job)
    this.#waitQueue.push(job)
    this.#dispatch()
    return id
  }

  async deliveryPolicy(requestId: string): Promise<DeliveryPolicy> {
    return this.#logs.find(requestId).delivery
  }

  async snapshot(requestId: string): Promise<RequestSnapshot> {
    const { log, delivery } = this.#logs.find(requestId)
    const position = await this.position(requestId)
    return { delivery, queued: position === null ? null : this.#queued(position), last: log.last, end: log.end }
  }

  async entries(requestId: string, afterOrdinal: number): Promise<readonly LogEntry[]> {
    return this.#logs.find(requestId).log.after(afterOrdinal)
  }

  async *events(requestId: string, afterOrdinal: number, signal: AbortSignal): AsyncGenerator<readonly QueueEvent[], void, undefined> {
    const { log } = this.#logs.find(requestId)
    const lease = this.#jobs.get(requestId)?.lease
    lease?.addReader()
    try {
      yield* log.read(afterOrdinal, signal)
    } finally {
      lease?.removeReader()
    }
  }

  async cancel(requestId: string): Promise<void> {
    const job = this.#jobs.get(requestId)
    if (job !== undefined) this.#end(job, FAILURES.cancelled)
  }

  async position(requestId: string): Promise<number | null> {
    const job = this.#jobs.get(requestId)
    return job === undefined ? null : this.#waitQueue.position(job)
  }

  /** How many times a request lost its worker and was queued again, since the start. */
  get handedOn(): number {
    return this.#handedOn
  }

  async depth(): Promise<QueueDepth> {
    return { waiting: this.#waitQueue.length, running: this.#workers.running }
  }

  async drain(signal: AbortSignal): Promise<void> {
    this.#refusal ??= SHUTTING_DOWN
    await this.#idle(signal)
    for (const job of [...this.#jobs.values()]) this.#close(job, FAILURES.unfinished)
    this.#changed()
  }

  join(link: WorkerLink): WorkerHandle {
    const worker = new WorkerRecord(link)
    this.#workers.add(worker)
    this.#dispatch()
    return {
      emit: signal => this.#onSignal(worker, signal),
      retire: () => this.#retire(worker),
      leave: replace => this.#leave(worker, replace)
    }
  }

  giveUp(reason: string): void {
    this.#refusal ??= reason
    for (const job of [...this.#waitQueue.jobs]) this.#close(job, { code: 'unavailable', message: reason, param: null })
    this.#changed()
  }

  #refuseIfFull(request: GenerationRequest): void {
    const { waitingLimit, waitingTokenLimit } = this.#options
    const { length, promptTokens } = this.#waitQueue
    if (length === 0 && this.#workers.workerFor(request, null) !== null) return
    const isTooLarge = length > 0 && promptTokens + promptTokensOf(request) > waitingTokenLimit
    if (length >= waitingLimit || isTooLarge) throw queueFull({ requests: length, promptTokens }, this.#options)
  }

  /** Starts every request that fits, then updates the positions of the others. */
  #dispatch(): void {
    this.#dispatchSuspect()
    for (let head = this.#waitQueue.head; head !== undefined; head = this.#waitQueue.head) {
      const worker = this.#workers.workerFor(head.request, head.workerIndex)
      if (worker === null) break
      this.#start(head, worker)
    }
    this.#changed()
  }

  #dispatchSuspect(): void {
    const { suspect } = this.#waitQueue
    const worker = suspect === undefined ? null : this.#workers.idleWorker()
    if (suspect !== undefined && worker !== null) this.#start(suspect, worker)
    if (suspect === undefined || worker !== null) this.#workers.releaseReserved()
  }

  #start(job: Job, worker: WorkerRecord): void {
    this.#waitQueue.remove(job)
    job.log.setPosition(null)
    job.firstStartMs ??= performance.now()
    worker.start(job)
  }

  #onSignal(worker: WorkerRecord, signal: EngineSignal): void {
    switch (signal.kind) {
      case 'events':
        this.#deliver(worker, signal.events)
        break
      case 'running':
        worker.recordRun(signal.requestIds)
        break
      case 'advanced':
        worker.recordAdvance(signal.requestIds)
        break
      case 'adopted':
      case 'heartbeat':
        break
      default:
        signal satisfies never
    }
  }

  #deliver(worker: WorkerRecord, events: StepEvents): void {
    let hasEnd = false
    for (const { requestId, event } of events) {
      const job = worker.find(requestId)
      if (job === undefined) continue
      this.#append(job, event)
      hasEnd ||= isTerminal(event)
    }
    if (hasEnd) this.#dispatch()
  }

  #retire(worker: WorkerRecord): void {
    worker.retire()
    this.#dispatch()
  }

  #leave(worker: WorkerRecord, replace?: () => void): void {
    this.#workers.delete(worker)
    for (const job of worker.jobs) {
      const { record, verdict } = judgeDeath(job.deaths, worker.deathOf(job))
      worker.release(job)
      job.deaths = record
      if (verdict === 'poisoned') {
        this.#close(job, FAILURES.poisoned)
        continue
      }
      job.isReturned = true
      this.#handedOn++
      job.isSuspect = verdict === 'alone'
      this.#waitQueue.push(job)
    }
    replace?.()
    this.#dispatch()
  }

  /** Ends a waiting or running request, and starts requests that fit into its rows. */
  #end(job: Job, failure: Failure): void {
    this.#close(job, failure)
    this.#dispatch()
  }

  #close(job: Job, failure: Failure): void {
    this.#waitQueue.remove(job)
    job.worker?.cancel(job)
    this.#append(job, { kind: 'failed', failure })
  }

  #append(job: Job, event: LoggedEvent): void {
    const { request, log, lease, worker, firstStartMs } = job
    log.append(event)
    if (!isTerminal(event)) return
    if (event.kind === 'finished' && firstStartMs !== null) this.#estimate.took(performance.now() - firstStartMs)
    worker?.release(job)
    lease.close()
    this.#jobs.delete(request.id)
    this.#logs.retain(request.id)
  }

  #queued(position: number): QueuedEvent {
    return { kind: 'queued', position, etaMs: this.#estimate.etaMs(position, this.#workers.running) }
  }

  #changed(): void {
    this.#waitQueue.jobs.forEach((job, index) => {
      job.log.setPosition(this.#queued(index + 1))
    })
    if (this.#jobs.size === 0) for (const notify of this.#idleListeners) notify()
  }

  /** Resolves when every request has ended, or when `signal` aborts. */
  async #idle(signal: AbortSignal): Promise<void> {
    if (this.#jobs.size === 0 || signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#idleListeners.add(resolve)
    signal.addEventListener('abort', () => resolve(), { once: true })
    await promise
    this.#idleListeners.delete(resolve)
  }
}
