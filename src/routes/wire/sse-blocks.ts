import type { LogEntry } from '../../inference/contract/events.ts'
import type { QueuedNotice, QueueEvent } from '../../queue/queue.ts'
import type { Presenter } from './dialect.ts'
import { toErrorBody } from './error-body.ts'
import { sseComment, sseEvent, sseJson } from './sse.ts'

/** A block this long is written before the next is made: a batch may hold a whole log, and an echo of many choices is long. */
const BLOCK_CHARS = 65_536

/** What batches of events put on the wire: as a rule one block, to be written at once, for each batch. */
export async function* toSseBlocks(presenter: Presenter, batches: AsyncIterable<readonly QueueEvent[]>): AsyncGenerator<string, void> {
  for await (const batch of batches) {
    let block = ''
    for (const entry of batch) {
      block += entry.ordinal === null ? toComment(entry) : toSse(presenter, entry)
      if (block.length < BLOCK_CHARS) continue
      yield block
      block = ''
    }
    if (block !== '') yield block
  }
}

/** A failed stream ends in its error and without `[DONE]`; `id` stands where the entry is complete, so that a resume repeats rather than loses. */
function toSse(presenter: Presenter, { ordinal, event }: LogEntry): string {
  if (event.kind === 'failed') return sseJson(toErrorBody(event.failure), ordinal)
  const chunks = presenter.chunks(event)
  if (event.kind === 'finished') return chunks.map(chunk => sseJson(chunk)).join('') + sseEvent('[DONE]', ordinal)
  return chunks.map((chunk, i) => sseJson(chunk, i === chunks.length - 1 ? ordinal : null)).join('')
}

function toComment({ event: { position, etaMs } }: QueuedNotice): string {
  return sseComment(`queued, position ${position}${etaMs === null ? '' : `, eta ${Math.round(etaMs)} ms`}`)
}
