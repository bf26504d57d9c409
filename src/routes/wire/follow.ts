import { isTerminal } from '../../inference/contract/events.ts'
import { invariant } from '../../inference/contract/invariant.ts'
import type { GenerationQueue, QueueEvent } from '../../queue/queue.ts'

type FollowedQueue = Pick<GenerationQueue, 'events' | 'cancel'>

/**
 * Reads a submitted request to its end. Whoever stops before that, for whatever reason, cancels the request: nobody else reads it.
 *
 * @throws {InvariantError} when the queue stops without a terminal event though the client is still there
 */
export async function* follow(queue: FollowedQueue, requestId: string, gone: AbortSignal): AsyncGenerator<readonly QueueEvent[], void> {
  let ended = false
  try {
    for await (const batch of queue.events(requestId, 0, gone)) {
      ended = batch.some(({ event }) => isTerminal(event))
      yield batch
    }
    invariant(ended || gone.aborted, `the log of ${requestId} ended without a terminal event`)
  } finally {
    if (!ended) await queue.cancel(requestId)
  }
}
