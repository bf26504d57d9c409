import type { StepEvents } from '../../inference/contract/engine.ts'
import { type ErrorCode, ServiceError } from '../../inference/contract/errors.ts'
import { isTerminal } from '../../inference/contract/events.ts'
import type { GenerationRequest } from '../../inference/contract/request.ts'
import { PLAIN_TICKET, type Ticket } from '../../inference/contract/ticket.ts'
import { LogShelf } from '../log/log-shelf.ts'
import type { GenerationQueue, QueueDepth, QueueEvent, RequestSnapshot } from '../queue.ts'
import { Seat } from './seat.ts'
import { promptTokensOf, WaitingLine } from './waiting-line.ts'
import type { WorkerLink, WorkerPool, WorkerSeat } from './worker-pool.ts'

export interface EmbeddedQueueOptions {
  /** Requests that may wait. */
  readonly waitingLimit: number
  /** Prompt tokens of all that wait; one request alone may exceed it. */
  readonly waitingTokenLimit: number
  /** How long a request can be read after its end. */
  readonly retentionMs: number
  /** See `LogShelfOptions`. */
  readonly retainedTokens: number
}

const DEFAULTS: EmbeddedQueueOptions = { waitingLimit: 256, waitingTokenLimit: 4_000_000, retentionMs: 60_000, retainedTokens: 500_000 }

/** The queue in the memory of the API process: requests wait here, workers take a seat, logs are read from the shelf. */
export class EmbeddedQueue implements GenerationQueue, WorkerPool {
  readonly #options: EmbeddedQueueOptions
  readonly #line = new WaitingLine()
  readonly #seats = new Set<Seat>()
  readonly #shelf: LogShelf
  readonly #tickets = new Map<string, Ticket>()
  readonly #idleListeners = new Set<() => void>()
  /** Why nothing is admitted any more. */
  #refusal: string | null = null

  constructor(options: Partial<EmbeddedQueueOptions> = {}) {
    this.#options = { ...DEFAULTS, ...options }
    this.#shelf = new LogShelf(this.#options)
  }

  async submit(request: GenerationRequest): Promise<string> {
    if (this.#refusal !== null) throw new ServiceError('unavailable', this.#refusal)
    this.#refuseIfFull(request)
    this.#shelf.open(request.id)
    this.#line.push(request)
    this.#tickets.set(request.id, request.ticket)
    this.#dispatch()
    return request.id
  }

  async ticket(requestId: string): Promise<Ticket> {
    this.#shelf.find(requestId)
    return this.#tickets.get(requestId) ?? PLAIN_TICKET
  }

  async snapshot(requestId: string): Promise<RequestSnapshot> {
    const log = this.#shelf.find(requestId)
    const position = this.#line.position(requestId)
    return {
      ticket: await this.ticket(requestId),
      queued: position === null ? null : { kind: 'queued', position, etaMs: null },
      entries: log.entries
    }
  }

  async *events(requestId: string, afterOrdinal: number, signal: AbortSignal): AsyncGenerator<readonly QueueEvent[], void, undefined> {
    yield* this.#shelf.find(requestId).read(afterOrdinal, signal)
  }

  async cancel(requestId: string): Promise<void> {
    this.#abandon(requestId, 'cancelled', 'the request was cancelled')
    this.#dispatch()
  }

  async position(requestId: string): Promise<number | null> {
    return this.#line.position(requestId)
  }

  async depth(): Promise<QueueDepth> {
    return { waiting: this.#line.length, running: [...this.#seats].reduce((sum, seat) => sum + seat.running, 0) }
  }

  async drain(signal: AbortSignal): Promise<void> {
    this.#refusal ??= 'the server is shutting down'
    await this.#idle(signal)
    const left = [...this.#line.requestIds, ...[...this.#seats].flatMap(seat => seat.requestIds)]
    for (const requestId of left) this.#abandon(requestId, 'unavailable', 'the server shut down before the request ended')
    this.#changed()
  }

  join(link: WorkerLink): WorkerSeat {
    const seat = new Seat(link)
    this.#seats.add(seat)
    this.#dispatch()
    return {
      deliver: events => this.#deliver(seat, events),
      retire: () => seat.retire(),
      leave: () => this.#leave(seat)
    }
  }

  giveUp(reason: string): void {
    this.#refusal ??= reason
    for (const requestId of this.#line.requestIds) this.#abandon(requestId, 'unavailable', reason)
    this.#changed()
  }

  #refuseIfFull(request: GenerationRequest): void {
    const { waitingLimit, waitingTokenLimit } = this.#options
    const { length, promptTokens } = this.#line
    if (length === 0 && this.#seatFor(request) !== null) return
    if (length >= waitingLimit) throw new ServiceError('queue_full', `${length} requests are waiting, and no more than ${waitingLimit} may`)
    if (length > 0 && promptTokens + promptTokensOf(request) > waitingTokenLimit) {
      throw new ServiceError('queue_full', `${promptTokens} prompt tokens are waiting, and no more than ${waitingTokenLimit} may`)
    }
  }

  /** Gives out what fits, then tells the rest where it stands. */
  #dispatch(): void {
    for (let head = this.#line.head; head !== undefined; head = this.#line.head) {
      const seat = this.#seatFor(head)
      if (seat === null) break
      this.#line.remove(head.id)
      this.#shelf.find(head.id).standAt(null)
      seat.start(head)
    }
    this.#changed()
  }

  /** The one with the most free rows among those that can take it. */
  #seatFor(request: GenerationRequest): Seat | null {
    const able = [...this.#seats].filter(seat => seat.canTake(request))
    return able.reduce<Seat | null>((best, seat) => (best === null || seat.freeRows > best.freeRows ? seat : best), null)
  }

  #deliver(seat: Seat, events: StepEvents): void {
    let hasEnd = false
    for (const { requestId, event } of events) {
      if (!seat.runs(requestId)) continue
      this.#shelf.append(requestId, event)
      if (!isTerminal(event)) continue
      seat.release(requestId)
      hasEnd = true
    }
    if (hasEnd) this.#dispatch()
  }

  #leave(seat: Seat): void {
    for (const requestId of seat.requestIds) {
      seat.release(requestId)
      this.#fail(requestId, 'worker_lost', 'the worker that ran the request was lost')
    }
    this.#seats.delete(seat)
    this.#changed()
  }

  /** Ends a request from our side, waiting or running. A no-op when it has ended or is not known. */
  #abandon(requestId: string, code: ErrorCode, message: string): void {
    const seat = [...this.#seats].find(seat => seat.runs(requestId))
    if (seat !== undefined) {
      seat.link.cancel(requestId)
      seat.release(requestId)
    } else if (!this.#line.remove(requestId)) {
      return
    }
    this.#fail(requestId, code, message)
  }

  #fail(requestId: string, code: ErrorCode, message: string): void {
    this.#shelf.append(requestId, { kind: 'failed', failure: { code, message, param: null } })
  }

  #changed(): void {
    this.#line.requestIds.forEach((requestId, index) => {
      this.#shelf.find(requestId).standAt(index + 1)
    })
    if (this.#isIdle) for (const tell of this.#idleListeners) tell()
  }

  get #isIdle(): boolean {
    return this.#line.length === 0 && [...this.#seats].every(seat => seat.running === 0)
  }

  /** Resolves when nothing waits or runs, or when `signal` aborts. */
  async #idle(signal: AbortSignal): Promise<void> {
    if (this.#isIdle || signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#idleListeners.add(resolve)
    signal.addEventListener('abort', () => resolve(), { once: true })
    await promise
    this.#idleListeners.delete(resolve)
  }
}
