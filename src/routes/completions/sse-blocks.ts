import type { LogEntry } from '../../inference/contract/events.ts'
import type { QueueEvent } from '../../queue/queue.ts'
import { toErrorBody } from '../wire/error-body.ts'
import { sseComment, sseEvent, sseJson } from '../wire/sse.ts'
import { toChunk, toUsageChunk } from './present.ts'
import type { CompletionView } from './view.ts'

/** A block this long is written before the next is made: a batch may hold a whole log, and an echo of many choices is long. */
const BLOCK_CHARS = 65_536

/** What batches of events put on the wire: as a rule one block, to be written at once, for each batch. */
export async function* toSseBlocks(view: CompletionView, batches: AsyncIterable<readonly QueueEvent[]>): AsyncGenerator<string, void> {
  for await (const batch of batches) {
    let block = ''
    for (const entry of batch) {
      block += entry.ordinal === null ? sseComment(`queued, position ${entry.event.position}`) : toSse(view, entry)
      if (block.length < BLOCK_CHARS) continue
      yield block
      block = ''
    }
    if (block !== '') yield block
  }
}

/** A failed stream ends in its error and without `[DONE]`; `id` stands where the entry is complete, so that a resume repeats rather than loses. */
function toSse(view: CompletionView, { ordinal, event }: LogEntry): string {
  const chunk = toChunk(view, event)
  if (event.kind === 'finished') {
    const end = chunk === null ? '' : sseJson(chunk)
    const usage = view.includeUsage ? sseJson(toUsageChunk(view, event.usage)) : ''
    return end + usage + sseEvent('[DONE]', ordinal)
  }
  if (event.kind === 'failed') return sseJson(toErrorBody(event.failure), ordinal)
  return chunk === null ? '' : sseJson(chunk, ordinal)
}
