import { eventLoopTurn } from '../../../inference/contract/event-loop.ts'
import type { LogEntry } from '../../../inference/contract/events.ts'
import type { QueuedNotice, QueueEvent } from '../../../queue/queue.ts'
import type { Presenter } from '../dialect.ts'
import { toErrorBody } from '../errors/error-body.ts'
import { framesOf } from './frames.ts'
import { sseComment, sseEvent, sseJson } from './sse.ts'

/**
 * Maximum length of a block, about; a batch may contain a whole log. A longer batch becomes several blocks, each
 * created after the one before it was written.
 */
const BLOCK_CHARS = 65_536

/** Converts batches of events to SSE text: usually one block per batch, to be sent with one write. */
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
 * A failed stream ends with its error and without `[DONE]`. Only the last event of an entry has an `id`, so that a
 * resumed stream repeats events rather than skipping them.
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
