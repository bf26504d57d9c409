import type { StepEvents } from '../../inference/contract/engine.ts'
import { type ErrorCode, ServiceError } from '../../inference/contract/errors.ts'
import { isTerminal, type LogEntry, type LoggedEvent, type QueuedEvent } from '../../inference/contract/events.ts'
import type { GenerationRequest } from '../../inference/contract/request.ts'
import type { Ticket } from '../../inference/contract/ticket.ts'
import { LogShelf, type LogShelfOptions } from '../log/log-shelf.ts'
import { CLEAN_RECORD, judgeDeath, POISONED_MESSAGE } from '../poison-rule.ts'
import type { GenerationQueue, QueueDepth, QueueEvent, RequestSnapshot } from '../queue.ts'
import { StartEstimate } from '../start-estimate.ts'
import type { Job } from './job.ts'
import { Lease } from './lease.ts'
import { Seat } from './seat.ts'
import { Seating } from './seating.ts'
import { promptTokensOf, WaitingLine } from './waiting-line.ts'
import type { WorkerLink, WorkerPool, WorkerSeat } from './worker-pool.ts'

export interface EmbeddedQueueOptions extends LogShelfOptions {
  /** Requests that may wait. */
  readonly waitingLimit: number
  /** Prompt tokens of all that wait; one request alone may exceed it. */
  readonly waitingTokenLimit: number
  /** How long a request goes on without a reader, unless its ticket says that it runs by itself. */
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

/** The queue in the memory of the API process: requests wait here, workers take a seat, logs are read from the shelf. */
export class EmbeddedQueue implements GenerationQueue, WorkerPool {
  readonly #options: EmbeddedQueueOptions
  readonly #line = new WaitingLine()
  readonly #seating = new Seating()
  readonly #shelf: LogShelf
  readonly #estimate = new StartEstimate()
  /** Requests that have not ended, by id. */
  readonly #jobs = new Map<string, Job>()
  #arrivals = 0
  #handedOn = 0
  readonly #idleListeners = new Set<() => void>()
  /** Why nothing is admitted any more. */
  #refusal: string | null = null

  constructor(options: Partial<EmbeddedQueueOptions> = {}) {
    this.#options = { ...DEFAULTS, ...options }
    this.#shelf = new LogShelf(this.#options)
  }

  async submit(request: GenerationRequest): Promise<string> {
    const { id, ticket } = request
    const claimedBy = this.#shelf.claimed(ticket)
    if (claimedBy !== null) return claimedBy
    if (this.#refusal !== null) throw new ServiceError('unavailable', this.#refusal)
    this.#refuseIfFull(request)
    const job: Job = {
      request,
      log: this.#shelf.open(id, ticket),
      lease: new Lease(ticket, this.#options.resumeGraceMs, (code, message) => this.#end(job, code, message)),
      arrival: this.#arrivals++,
      seat: null,
      place: null,
      firstStartMs: null,
      isReturned: false,
      deaths: CLEAN_RECORD,
      isSuspect: false
    }
    this.#jobs.set(id, job)
    this.#line.push(job)
    this.#dispatch()
    return id
  }

  async ticket(requestId: string): Promise<Ticket> {
    return this.#shelf.find(requestId).ticket
  }

  async snapshot(requestId: string): Promise<RequestSnapshot> {
    const { log, ticket } = this.#shelf.find(requestId)
    const position = await this.position(requestId)
    return { ticket, queued: position === null ? null : this.#queued(position), last: log.last, end: log.end }
  }

  async entries(requestId: string, afterOrdinal: number): Promise<readonly LogEntry[]> {
    return this.#shelf.find(requestId).log.after(afterOrdinal)
  }

  async *events(requestId: string, afterOrdinal: number, signal: AbortSignal): AsyncGenerator<readonly QueueEvent[], void, undefined> {
    const { log } = this.#shelf.find(requestId)
    const lease = this.#jobs.get(requestId)?.lease
    lease?.attend()
    try {
      yield* log.read(afterOrdinal, signal)
    } finally {
      lease?.neglect()
    }
  }

  async cancel(requestId: string): Promise<void> {
    const job = this.#jobs.get(requestId)
    if (job !== undefined) this.#end(job, 'cancelled', 'the request was cancelled')
  }

  async position(requestId: string): Promise<number | null> {
    const job = this.#jobs.get(requestId)
    return job === undefined ? null : this.#line.position(job)
  }

  /** How many times a request lost its worker and was kept for another, since the start. */
  get handedOn(): number {
    return this.#handedOn
  }

  async depth(): Promise<QueueDepth> {
    return { waiting: this.#line.length, running: this.#seating.running }
  }

  async drain(signal: AbortSignal): Promise<void> {
    this.#refusal ??= 'the server is shutting down'
    await this.#idle(signal)
    for (const job of [...this.#jobs.values()]) this.#close(job, 'unavailable', 'the server shut down before the request ended')
    this.#changed()
  }

  join(link: WorkerLink): WorkerSeat {
    const seat = new Seat(link)
    this.#seating.add(seat)
    this.#dispatch()
    return {
      deliver: events => this.#deliver(seat, events),
      running: requestIds => seat.noteRun(requestIds),
      advanced: requestIds => seat.noteAdvance(requestIds),
      retire: () => this.#retire(seat),
      leave: replace => this.#leave(seat, replace)
    }
  }

  giveUp(reason: string): void {
    this.#refusal ??= reason
    for (const job of [...this.#line.jobs]) this.#close(job, 'unavailable', reason)
    this.#changed()
  }

  #refuseIfFull(request: GenerationRequest): void {
    const { waitingLimit, waitingTokenLimit } = this.#options
    const { length, promptTokens } = this.#line
    if (length === 0 && this.#seating.seatFor(request, null) !== null) return
    if (length >= waitingLimit) throw new ServiceError('queue_full', `${length} requests are waiting, and no more than ${waitingLimit} may`)
    if (length > 0 && promptTokens + promptTokensOf(request) > waitingTokenLimit) {
      throw new ServiceError('queue_full', `${promptTokens} prompt tokens are waiting, and no more than ${waitingTokenLimit} may`)
    }
  }

  /** Gives out what fits, then tells the rest where it stands. */
  #dispatch(): void {
    this.#dispatchSuspect()
    for (let head = this.#line.head; head !== undefined; head = this.#line.head) {
      const seat = this.#seating.seatFor(head.request, head.place)
      if (seat === null) break
      this.#start(head, seat)
    }
    this.#changed()
  }

  #dispatchSuspect(): void {
    const { suspect } = this.#line
    const seat = suspect === undefined ? null : this.#seating.emptySeat()
    if (suspect !== undefined && seat !== null) this.#start(suspect, seat)
    if (suspect === undefined || seat !== null) this.#seating.keepNone()
  }

  #start(job: Job, seat: Seat): void {
    this.#line.remove(job)
    job.log.standAt(null)
    job.firstStartMs ??= performance.now()
    seat.start(job)
  }

  #deliver(seat: Seat, events: StepEvents): void {
    let hasEnd = false
    for (const { requestId, event } of events) {
      const job = seat.find(requestId)
      if (job === undefined) continue
      this.#append(job, event)
      hasEnd ||= isTerminal(event)
    }
    if (hasEnd) this.#dispatch()
  }

  #retire(seat: Seat): void {
    seat.retire()
    this.#dispatch()
  }

  #leave(seat: Seat, replace?: () => void): void {
    this.#seating.delete(seat)
    for (const job of seat.jobs) {
      const { record, verdict } = judgeDeath(job.deaths, seat.deathOf(job))
      seat.release(job)
      job.deaths = record
      if (verdict === 'poisoned') {
        this.#close(job, 'poisoned', POISONED_MESSAGE)
        continue
      }
      job.isReturned = true
      this.#handedOn++
      job.isSuspect = verdict === 'alone'
      this.#line.push(job)
    }
    replace?.()
    this.#dispatch()
  }

  /** Ends a request from our side, waiting or running, and gives its place to the next. */
  #end(job: Job, code: ErrorCode, message: string): void {
    this.#close(job, code, message)
    this.#dispatch()
  }

  #close(job: Job, code: ErrorCode, message: string): void {
    this.#line.remove(job)
    job.seat?.cancel(job)
    this.#append(job, { kind: 'failed', failure: { code, message, param: null } })
  }

  #append(job: Job, event: LoggedEvent): void {
    const { request, log, lease, seat, firstStartMs } = job
    log.append(event)
    if (!isTerminal(event)) return
    if (event.kind === 'finished' && firstStartMs !== null) this.#estimate.took(performance.now() - firstStartMs)
    seat?.release(job)
    lease.close()
    this.#jobs.delete(request.id)
    this.#shelf.retain(request.id)
  }

  #queued(position: number): QueuedEvent {
    return { kind: 'queued', position, etaMs: this.#estimate.etaMs(position, this.#seating.running) }
  }

  #changed(): void {
    this.#line.jobs.forEach((job, index) => {
      job.log.standAt(this.#queued(index + 1))
    })
    if (this.#jobs.size === 0) for (const tell of this.#idleListeners) tell()
  }

  /** Resolves when nothing waits or runs, or when `signal` aborts. */
  async #idle(signal: AbortSignal): Promise<void> {
    if (this.#jobs.size === 0 || signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#idleListeners.add(resolve)
    signal.addEventListener('abort', () => resolve(), { once: true })
    await promise
    this.#idleListeners.delete(resolve)
  }
}
