import { setImmediate as nextTurn } from 'node:timers/promises'
import type { QueueEvent } from '../../../queue/queue.ts'
import { fromFailure } from '../errors/service-errors.ts'

/**
 * Lets a request that failed immediately be answered with an HTTP status. Waits one turn of the event loop at most,
 * because the headers of a stream are sent before its first token.
 *
 * @returns the same batches, complete; the caller still has to close `batches`
 * @throws {ServiceError} the failure, if it came before any event that a client can see
 */
export async function throwEarlyFailure(
  batches: AsyncGenerator<readonly QueueEvent[], void>
): Promise<AsyncIterable<readonly QueueEvent[]>> {
  const first = batches.next()
  const early = await Promise.race([first, nextTurn(null)])
  if (early !== null && early.done !== true) throwIfFailed(early.value)
  return rejoin(first, batches)
}

function throwIfFailed(batch: readonly QueueEvent[]): void {
  for (const { event } of batch) {
    if (event.kind === 'failed') throw fromFailure(event.failure)
    if (event.kind !== 'queued' && event.kind !== 'started') return
  }
}

async function* rejoin(
  first: Promise<IteratorResult<readonly QueueEvent[], void>>,
  rest: AsyncIterable<readonly QueueEvent[]>
): AsyncGenerator<readonly QueueEvent[], void> {
  const { value, done } = await first
  if (done === true) return
  yield value
  yield* rest
}
