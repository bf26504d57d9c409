import { eventLoopTurn } from '../../inference/contract/event-loop.ts'
import type { LogEntry } from '../../inference/contract/events.ts'
import type { QueuedNotice, QueueEvent } from '../../queue/queue.ts'
import type { Presenter } from './dialect.ts'
import { toErrorBody } from './error-body.ts'
import { framesOf } from './frames.ts'
import { sseComment, sseEvent, sseJson } from './sse.ts'

/**
 * A block this long is written before the next is made: a batch may hold a whole log, and an echo of many choices is
 * long.
 */
const BLOCK_CHARS = 65_536

/** What batches of events put on the wire: as a rule one block, to be written at once, for each batch. */
export async function* toSseBlocks(presenter: Presenter, batches: AsyncIterable<readonly QueueEvent[]>): AsyncGenerator<string, void> {
  for await (const batch of batches) {
    let block = ''
    for (const entry of batch) {
      for (const event of entry.ordinal === null ? [toComment(entry)] : toSse(presenter, entry)) {
        block += event
        const turn = eventLoopTurn()
        if (turn !== null) await turn
        if (block.length < BLOCK_CHARS) continue
        yield block
        block = ''
      }
    }
    if (block !== '') yield block
  }
}

/**
 * A failed stream ends in its error and without `[DONE]`; `id` stands where the entry is complete, so that a resume
 * repeats rather than loses.
 */
function* toSse(presenter: Presenter, entry: LogEntry): Generator<string, void> {
  const { ordinal, event } = entry
  if (event.kind === 'failed') yield sseJson(toErrorBody(event.failure), ordinal)
  const isEnd = event.kind === 'finished'
  for (const { data, completes } of framesOf(presenter, entry)) yield sseJson(data, isEnd ? null : completes)
  if (isEnd) yield sseEvent('[DONE]', ordinal)
}

function toComment({ event: { position, etaMs } }: QueuedNotice): string {
  return sseComment(`queued, position ${position}${etaMs === null ? '' : `, eta ${Math.round(etaMs)} ms`}`)
}
