import type { LogEntry } from '../../../inference/contract/events.ts'
import { hasEnded, type RequestStore } from '../requests/request-store.ts'
import type { Tail } from './tail.ts'

/** A worker writes again what Redis has lost within this time, or nobody does. */
export const REWRITE_MS = 10_000
/** Entries before the end of what was read that must be the same. */
const COMPARED = 20

/**
 * Redis may have come back without the last second, or without anything. A log that is shorter than what was read of it
 * is waited for, and what is written there again must be the very same, whoever writes it: else its readers are told
 * that the stream is lost, and nothing that contradicts what they have.
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
    tail.fail('its log was lost and is another now')
  } else {
    tail.shortSinceMs = null
  }
}

function areSame(some: readonly LogEntry[], others: readonly LogEntry[]): boolean {
  return JSON.stringify(some, timeless) === JSON.stringify(others, timeless)
}

/** A successor says the same, later. */
function timeless(key: string, value: unknown): unknown {
  return key === 'atMs' ? undefined : value
}
