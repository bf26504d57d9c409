import type { LogEntry, TokenEvent } from '../../src/inference/contract/events.ts'
import type { GenerationQueue, QueueEvent } from '../../src/queue/queue.ts'

/** Reads a request to its end, without positions. */
export async function readAll(queue: GenerationQueue, requestId: string, afterOrdinal = 0): Promise<LogEntry[]> {
  const batches = await collect(queue.events(requestId, afterOrdinal, new AbortController().signal))
  return batches.flat().filter((event): event is LogEntry => event.ordinal !== null)
}

/** Reads until an event of this kind, then stops. */
export async function readUntil(queue: GenerationQueue, requestId: string, kind: TokenEvent['kind']): Promise<QueueEvent[]> {
  const seen: QueueEvent[] = []
  for await (const batch of queue.events(requestId, 0, new AbortController().signal)) {
    seen.push(...batch)
    if (batch.some(({ event }) => event.kind === kind)) break
  }
  return seen
}

/** `finished`, or the code of the failure. */
export async function endOf(queue: GenerationQueue, requestId: string): Promise<string> {
  const last = (await readAll(queue, requestId)).at(-1)?.event
  return last?.kind === 'failed' ? last.failure.code : (last?.kind ?? 'nothing')
}

export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const collected: Item[] = []
  for await (const item of items) collected.push(item)
  return collected
}
