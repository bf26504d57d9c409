import { isTerminal } from '../../inference/contract/events.ts'
import { invariant } from '../../inference/contract/invariant.ts'
import type { GenerationQueue, QueueEvent } from '../../queue/queue.ts'

export interface Reading {
  readonly requestId: string
  /** 0 for all. */
  readonly afterOrdinal: number
  /** Ends the reading early, without an error. */
  readonly signal: AbortSignal
  /** Whoever stops before the end, for whatever reason, cancels the request: nobody else is expected to read it. */
  readonly cancels: boolean
}

/**
 * Reads a submitted request to its end.
 *
 * @throws {InvariantError} when the queue stops without a terminal event though nobody asked it to
 */
export async function* follow(
  queue: Pick<GenerationQueue, 'events' | 'cancel'>,
  { requestId, afterOrdinal, signal, cancels }: Reading
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
