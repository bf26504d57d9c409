import type { LogEntry } from '../../../inference/contract/events.ts'
import { hasEnded, type RequestStore } from '../requests/request-store.ts'
import type { Tail } from './tail.ts'

/** Workers write lost entries again within this time after a reconnect; later, no worker has them. */
const REWRITE_MS = 10_000
/** Entries before the last one read that are compared. */
const COMPARED = 20

/**
 * Checks logs after Redis was away: it may have lost the last second, or everything. A log that is shorter than what
 * was read of it has `REWRITE_MS` to grow again, and the entries that any worker writes there must be equal to those
 * that were read. Else its readers end with `stream_lost`, so that they receive nothing that contradicts earlier
 * entries.
 */
export async function verifyLogs(store: RequestStore, tails: readonly Tail[], nowMs: number): Promise<void> {
  await Promise.all(tails.filter(tail => !tail.hasEnded).map(tail => check(store, tail, nowMs)))
}

async function check(store: RequestStore, tail: Tail, nowMs: number): Promise<void> {
  const known = tail.newest(COMPARED)
  const { last } = tail
  const look = await store.look(tail.requestId, last - known.length, Math.max(1, known.length))
  if (look === null) {
    tail.fail('its log is gone')
  } else if (look.status.last < last) {
    tail.shortSinceMs ??= nowMs
    if (hasEnded(look.status) || nowMs - tail.shortSinceMs > REWRITE_MS) tail.fail('the end of its log is gone')
  } else if (!areSame(known, look.entries.slice(0, known.length))) {
    tail.fail('its log was lost and written again with other entries')
  } else {
    tail.shortSinceMs = null
  }
}

function areSame(some: readonly LogEntry[], others: readonly LogEntry[]): boolean {
  return JSON.stringify(some, timeless) === JSON.stringify(others, timeless)
}

/** Another worker emits the same events at another time. */
function timeless(key: string, value: unknown): unknown {
  return key === 'atMs' ? undefined : value
}

/** Whether Redis was away so recently that workers may still be writing lost entries again. */
export class ReconnectTracker {
  #closedAtMs = Number.NEGATIVE_INFINITY

  /** @param connection  emits `close` also for each failed attempt to reconnect */
  constructor(connection: { on(event: 'close', listener: () => void): unknown }) {
    connection.on('close', () => {
      this.#closedAtMs = performance.now()
    })
  }

  get isRecent(): boolean {
    return performance.now() - this.#closedAtMs < REWRITE_MS
  }
}
