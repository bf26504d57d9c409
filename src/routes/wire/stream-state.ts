import { isTerminal, type LogEntry, type TokenEvent } from '../../inference/contract/events.ts'
import type { RequestSnapshot } from '../../queue/queue.ts'

/** Where a request stands, as our own endpoints tell it. */
export interface StreamState {
  readonly id: string
  readonly status: 'queued' | 'running' | 'finished' | 'failed' | 'cancelled'
  /** 1 is next; null when it does not wait. */
  readonly position: number | null
  readonly eta_ms: number | null
}

export function toState(id: string, { queued, entries }: Pick<RequestSnapshot, 'queued' | 'entries'>): StreamState {
  const end = endOf(entries)
  const isWaiting = end === null && queued !== null
  return {
    id,
    status: end === null ? (isWaiting ? 'queued' : 'running') : statusAt(end),
    position: isWaiting ? queued.position : null,
    eta_ms: isWaiting && queued.etaMs !== null ? Math.round(queued.etaMs) : null
  }
}

export type Terminal = Extract<TokenEvent, { kind: 'finished' | 'failed' }>

/** The terminal event of a log that has one. */
export function endOf(entries: readonly LogEntry[]): Terminal | null {
  const last = entries.at(-1)?.event
  return last !== undefined && isTerminal(last) ? last : null
}

function statusAt(end: Terminal): 'finished' | 'failed' | 'cancelled' {
  if (end.kind === 'finished') return 'finished'
  return end.failure.code === 'cancelled' ? 'cancelled' : 'failed'
}
