import { isTerminal } from '../../../inference/contract/events.ts'
import { invariant } from '../../../inference/contract/invariant.ts'
import type { GenerationQueue, QueueEvent } from '../../../queue/queue.ts'

export interface FollowOptions {
  readonly requestId: string
  /** Ordinal of the last event to skip; 0 to read all events. */
  readonly afterOrdinal: number
  /** Stops reading without an error. */
  readonly signal: AbortSignal
  /** Whether the request is cancelled if reading stops before its end. */
  readonly cancels: boolean
}

/**
 * Reads the events of a submitted request to its end.
 *
 * @throws {InvariantError} when the queue stops without a terminal event although `signal` is not aborted
 */
export async function* follow(
  queue: Pick<GenerationQueue, 'events' | 'cancel'>,
  { requestId, afterOrdinal, signal, cancels }: FollowOptions
): AsyncGenerator<readonly QueueEvent[], void> {
  let ended = false
  try {
    for await (const batch of queue.events(requestId, afterOrdinal, signal)) {
      ended = batch.some(({ event }) => isTerminal(event))
      yield batch
    }
    invariant(ended || signal.aborted, `the log of ${requestId} ended without a terminal event`)
  } finally {
    if (!ended && cancels) await queue.cancel(requestId)
  }
}
