import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Failure, ServiceError } from '../../inference/contract/errors.ts'
import type { QueueEvent } from '../../queue/queue.ts'

/**
 * Lets a request that failed at once answer with a status: looks at what is there within one turn of the event loop,
 * and waits no longer, because the headers of a stream go out before its first token.
 *
 * @returns the same batches, nothing lost; closing `batches` stays with the caller
 * @throws {ServiceError} the failure, if it came before anything that a client could see
 */
export async function throwEarlyFailure(
  batches: AsyncGenerator<readonly QueueEvent[], void>
): Promise<AsyncIterable<readonly QueueEvent[]>> {
  const first = batches.next()
  const early = await Promise.race([first, nextTurn(null)])
  if (early !== null && early.done !== true) throwIfFailed(early.value)
  return resume(first, batches)
}

export function toServiceError(failure: Failure): ServiceError {
  return new ServiceError(failure.code, failure.message, failure.param === null ? {} : { param: failure.param })
}

function throwIfFailed(batch: readonly QueueEvent[]): void {
  for (const { event } of batch) {
    if (event.kind === 'failed') throw toServiceError(event.failure)
    if (event.kind !== 'queued' && event.kind !== 'started') return
  }
}

async function* resume(
  first: Promise<IteratorResult<readonly QueueEvent[], void>>,
  rest: AsyncIterable<readonly QueueEvent[]>
): AsyncGenerator<readonly QueueEvent[], void> {
  const { value, done } = await first
  if (done === true) return
  yield value
  yield* rest
}
