import type { DeliveryPolicy } from '../inference/contract/delivery-policy.ts'
import { eventLoopTurn } from '../inference/contract/event-loop.ts'
import type { LogEntry, QueuedEvent, TerminalEvent } from '../inference/contract/events.ts'
import type { GenerationRequest } from '../inference/contract/request.ts'

/** Where a waiting request stands: told again on every change, never logged, hence without an ordinal. */
export interface QueuedNotice {
  readonly ordinal: null
  readonly event: QueuedEvent
}

/** What a reader of a request gets; `event` is a `TokenEvent`, and an ordinal is what a reader resumes from. */
export type QueueEvent = LogEntry | QueuedNotice

/** Requests that have not ended. */
export interface QueueDepth {
  /** Not yet given to a worker. */
  readonly waiting: number
  readonly running: number
}

/** What is known of a request at one moment, without its log. */
export interface RequestSnapshot {
  readonly delivery: DeliveryPolicy
  /** Its place in the line, as `queued` tells it; null when it does not wait (any more). */
  readonly queued: QueuedEvent | null
  /** Ordinal of the log's last entry; 0 for none. */
  readonly last: number
  /** That entry, if it is the end. */
  readonly end: TerminalEvent | null
  /** The store has just come back: there may have been more entries, and then they are being written again. */
  readonly mayGrowBack?: boolean
}

/**
 * The way from a route to a worker and back, whatever lies between (memory and IPC, or Redis).
 *
 * Laws, held by one conformance suite: a request that was submitted ends in exactly one terminal event; ordinals are 1,
 * 2, 3 … without gaps; whoever reads from an ordinal sees all that follow, once and in order; after a cancel nothing is
 * added.
 */
export interface GenerationQueue {
  /**
   * Resolves when the request is admitted: from then on it ends, whatever happens, in one terminal event.
   *
   * @returns the id to read: the request's own, or, where its idempotency key was used before with the same digest,
   *          that of the request that has not failed or been cancelled
   * @throws {ServiceError} `queue_full` when as many wait as may wait; `unavailable` when draining, when no worker will
   *          ever come, or when the queue's store is away; `idempotency_mismatch`
   */
  submit(request: GenerationRequest): Promise<string>

  /** @throws {ServiceError} `not_found` when there is no such request, or its log has been dropped; `unavailable` */
  deliveryPolicy(requestId: string): Promise<DeliveryPolicy>

  /** @throws {ServiceError} as `delivery policy` */
  snapshot(requestId: string): Promise<RequestSnapshot>

  /**
   * Entries that follow an ordinal in the log as it is now: not all, but as many as are read in one piece, and none
   * behind its last. Who asks is no reader of the request.
   *
   * @throws {ServiceError} as `delivery policy`
   */
  entries(requestId: string, afterOrdinal: number): Promise<readonly LogEntry[]>

  /**
   * The request's events with an ordinal above `afterOrdinal` (0 for all), told apart by `event.kind`; while it waits,
   * its position too. A batch is never empty and holds what came since the last, as far as it is read in one piece: a
   * slow reader gets few and large ones. Ends after the terminal event, and without an error once `signal` aborts. Any
   * number of readers, at any time until the log is dropped. Not reading on is no cancel: who loses interest calls
   * `cancel`. What is read by nobody ends as its delivery policy's `onDisconnect` says.
   *
   * @throws {ServiceError} `not_found` at the first `next()` when there is no such request, or its log has been dropped
   */
  events(requestId: string, afterOrdinal: number, signal: AbortSignal): AsyncIterable<readonly QueueEvent[]>

  /**
   * Ends the request with `failed`, code `cancelled`, and frees its rows before the next step. A no-op when it has
   * ended or is not known.
   */
  cancel(requestId: string): Promise<void>

  /** 1 is next; null when the request does not wait (any more). */
  position(requestId: string): Promise<number | null>

  depth(): Promise<QueueDepth>

  /**
   * Admits nothing from now on; resolves when every request has ended.
   * What has not ended when `signal` aborts fails with `unavailable`.
   */
  drain(signal: AbortSignal): Promise<void>
}

/**
 * The log of a request behind an ordinal and up to another, piece by piece; each comes in a turn of the event loop of
 * its own.
 */
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
