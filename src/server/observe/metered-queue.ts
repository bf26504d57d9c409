import type { DeliveryPolicy } from '../../inference/contract/delivery-policy.ts'
import { ServiceError } from '../../inference/contract/errors.ts'
import type { LogEntry } from '../../inference/contract/events.ts'
import type { GenerationRequest } from '../../inference/contract/request.ts'
import { type GenerationQueue, pagesOf, type QueueDepth, type QueueEvent, type RequestSnapshot } from '../../queue/queue.ts'
import { RequestMeter } from './request-meter.ts'
import type { RequestMetrics } from './request-metrics.ts'

/** Requests without a reader whose log is read in one scrape. */
const MAX_SETTLED_PER_SCRAPE = 64
/** Requests whose end has not been counted yet; above it the oldest are dropped. */
const MAX_METERS = 20_000

interface Metered {
  readonly meter: RequestMeter
  readers: number
}

/** A decorator of the queue that counts the requests admitted by this process, each once. */
export class MeteredQueue implements GenerationQueue {
  readonly #queue: GenerationQueue
  readonly #metrics: RequestMetrics
  readonly #clock: () => number
  /** In the order of admission. */
  readonly #open = new Map<string, Metered>()

  /** @param clock  Unix milliseconds */
  constructor(queue: GenerationQueue, metrics: RequestMetrics, clock: () => number) {
    this.#queue = queue
    this.#metrics = metrics
    this.#clock = clock
  }

  async submit(request: GenerationRequest): Promise<string> {
    const id = await this.#queue.submit(request)
    // Another id belongs to an earlier request with the same idempotency key, which has been counted.
    if (id === request.id) this.#meter(request)
    return id
  }

  async *events(requestId: string, afterOrdinal: number, signal: AbortSignal): AsyncGenerator<readonly QueueEvent[], void> {
    const metered = this.#open.get(requestId)
    if (afterOrdinal > 0) this.#metrics.resumed()
    if (metered !== undefined) metered.readers++
    this.#metrics.readers(1)
    try {
      for await (const batch of this.#queue.events(requestId, afterOrdinal, signal)) {
        metered?.meter.pass(batch, this.#clock())
        yield batch
      }
    } finally {
      this.#metrics.readers(-1)
      if (metered !== undefined) metered.readers--
      this.#forgetIfEnded(requestId)
    }
  }

  async cancel(requestId: string): Promise<void> {
    await this.#queue.cancel(requestId)
    const metered = this.#open.get(requestId)
    if (metered?.readers === 0) await this.#settleOne(requestId, metered)
  }

  deliveryPolicy(requestId: string): Promise<DeliveryPolicy> {
    return this.#queue.deliveryPolicy(requestId)
  }

  snapshot(requestId: string): Promise<RequestSnapshot> {
    return this.#queue.snapshot(requestId)
  }

  entries(requestId: string, afterOrdinal: number): Promise<readonly LogEntry[]> {
    return this.#queue.entries(requestId, afterOrdinal)
  }

  position(requestId: string): Promise<number | null> {
    return this.#queue.position(requestId)
  }

  depth(): Promise<QueueDepth> {
    return this.#queue.depth()
  }

  drain(signal: AbortSignal): Promise<void> {
    return this.#queue.drain(signal)
  }

  /**
   * Counts the events of requests without a reader: those in the background and those whose readers have disconnected.
   */
  async settle(): Promise<void> {
    const unread = [...this.#open].filter(([, { readers }]) => readers === 0).slice(0, MAX_SETTLED_PER_SCRAPE)
    await Promise.all(unread.map(([requestId, metered]) => this.#settleOne(requestId, metered)))
  }

  async #settleOne(requestId: string, metered: Metered): Promise<void> {
    try {
      const { last } = await this.#queue.snapshot(requestId)
      for await (const entries of pagesOf(this.#queue, requestId, metered.meter.ordinal, last)) metered.meter.pass(entries, null)
      this.#forgetIfEnded(requestId)
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error
      // With other codes Redis is unreachable: try again at the next scrape.
      if (error.code === 'not_found') this.#open.delete(requestId)
    }
  }

  #meter(request: GenerationRequest): void {
    this.#open.set(request.id, { meter: new RequestMeter(request, this.#metrics), readers: 0 })
    const [oldest] = this.#open.keys()
    if (this.#open.size > MAX_METERS && oldest !== undefined) this.#open.delete(oldest)
  }

  #forgetIfEnded(requestId: string): void {
    if (this.#open.get(requestId)?.meter.hasEnded === true) this.#open.delete(requestId)
  }
}
