import type { DeliveryPolicy } from '../inference/contract/delivery-policy.ts'
import { eventLoopTurn } from '../inference/contract/event-loop.ts'
import type { LogEntry, QueuedEvent, TerminalEvent } from '../inference/contract/events.ts'
import type { GenerationRequest } from '../inference/contract/request.ts'

/** The position of a waiting request. Sent on every change and never logged, hence without an ordinal. */
export interface QueuedNotice {
  readonly ordinal: null
  readonly event: QueuedEvent
}

/** An item of a stream; `event` is a `TokenEvent`, and a reader resumes after the last ordinal that it has read. */
export type QueueEvent = LogEntry | QueuedNotice

/** Requests that have not ended. */
export interface QueueDepth {
  /** Not on a worker. */
  readonly waiting: number
  readonly running: number
}

/** The state of a request, without its log. */
export interface RequestSnapshot {
  readonly delivery: DeliveryPolicy
  /** Its position; null when the request does not wait. */
  readonly queued: QueuedEvent | null
  /** Ordinal of the last log entry; 0 for none. */
  readonly last: number
  /** The last event, if it is terminal. */
  readonly end: TerminalEvent | null
  /** The store was unreachable until now and may have lost entries, which are then being written again. */
  readonly mayGrowBack?: boolean
}

/**
 * The port between routes and workers. The implementations use memory and IPC, or Redis.
 *
 * Laws, tested by one conformance suite: a submitted request ends in exactly one terminal event; ordinals are 1, 2, 3 …
 * without gaps; a reader that starts after an ordinal gets every later entry once and in order; no entry follows a
 * cancel's.
 */
export interface GenerationQueue {
  /**
   * Resolves when the request is admitted. It will end in exactly one terminal event.
   *
   * @returns the id to read: that of the request, or that of an earlier request with the same idempotency key and
   *          digest which has neither failed nor been cancelled
   * @throws {ServiceError} `queue_full`; `unavailable` when draining, when no worker will ever join, or when the store
   *          is unreachable; `idempotency_mismatch`
   */
  submit(request: GenerationRequest): Promise<string>

  /** @throws {ServiceError} `not_found` when the request is unknown or its log has been dropped; `unavailable` */
  deliveryPolicy(requestId: string): Promise<DeliveryPolicy>

  /** @throws {ServiceError} as `deliveryPolicy` */
  snapshot(requestId: string): Promise<RequestSnapshot>

  /**
   * A page of the current log: the entries after an ordinal, as many as are read at once; empty at the end of the log.
   * The call does not count as a reader of the request.
   *
   * @throws {ServiceError} as `deliveryPolicy`
   */
  entries(requestId: string, afterOrdinal: number): Promise<readonly LogEntry[]>

  /**
   * The request's events with an ordinal above `afterOrdinal` (0 for all) and, while it waits, its positions. A batch
   * is never empty and contains the events since the last one, as many as are read at once: a slow reader gets few and
   * large batches. Ends after the terminal event, and without an error once `signal` aborts. Any number of readers can
   * read, at any time until the log is dropped. A reader that stops does not cancel the request; `onDisconnect` of the
   * delivery policy determines what happens to a request without readers.
   *
   * @throws {ServiceError} `not_found` at the first `next()` when the request is unknown or its log has been dropped
   */
  events(requestId: string, afterOrdinal: number, signal: AbortSignal): AsyncIterable<readonly QueueEvent[]>

  /**
   * Ends the request with `failed`, code `cancelled`, and frees its rows before the next step. A no-op when the request
   * has ended or is unknown.
   */
  cancel(requestId: string): Promise<void>

  /** 1 is next; null when the request does not wait. */
  position(requestId: string): Promise<number | null>

  depth(): Promise<QueueDepth>

  /**
   * Admits no request from now on; resolves when every request has ended. Requests that have not ended when `signal`
   * aborts fail with `unavailable`.
   */
  drain(signal: AbortSignal): Promise<void>
}

/** The log of a request after one ordinal and up to another, in pages; each is read in a turn of the event loop. */
export async function* pagesOf(
  queue: Pick<GenerationQueue, 'entries'>,
  requestId: string,
  afterOrdinal: number,
  lastOrdinal: number
): AsyncGenerator<readonly LogEntry[], void> {
  for (let after = afterOrdinal; after < lastOrdinal; ) {
    const turn = eventLoopTurn()
    if (turn !== null) await turn
    const entries = await queue.entries(requestId, after)
    const page = entries.filter(({ ordinal }) => ordinal <= lastOrdinal)
    if (page.length === 0) return
    yield page
    after += page.length
  }
}
