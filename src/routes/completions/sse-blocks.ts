import type { LogEntry } from '../../inference/contract/events.ts'
import type { QueueEvent } from '../../queue/queue.ts'
import { toErrorBody } from '../wire/error-body.ts'
import { sseComment, sseEvent } from '../wire/sse.ts'
import { toChunk, toUsageChunk } from './present.ts'
import type { CompletionView } from './view.ts'

/** The text that a batch of events puts on the wire: one block, to be written at once. */
export function toSseBlock(view: CompletionView, batch: readonly QueueEvent[]): string {
  let block = ''
  for (const entry of batch) {
    block += entry.ordinal === null ? sseComment(`queued, position ${entry.event.position}`) : toSse(view, entry)
  }
  return block
}

/** A failed stream ends in its error and without `[DONE]`; `id` stands where the entry is complete, so that a resume repeats rather than loses. */
function toSse(view: CompletionView, { ordinal, event }: LogEntry): string {
  const chunk = toChunk(view, event)
  if (event.kind === 'finished') {
    const end = chunk === null ? '' : sseEvent(JSON.stringify(chunk))
    const usage = view.includeUsage ? sseEvent(JSON.stringify(toUsageChunk(view, event.usage))) : ''
    return end + usage + sseEvent('[DONE]', ordinal)
  }
  if (event.kind === 'failed') return sseEvent(JSON.stringify(toErrorBody(event.failure)), ordinal)
  return chunk === null ? '' : sseEvent(JSON.stringify(chunk), ordinal)
}
