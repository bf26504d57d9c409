import type { TerminalEvent } from '../../inference/contract/events.ts'
import type { RequestSnapshot } from '../../queue/queue.ts'

/** Where a request stands, as our own endpoints tell it. */
export interface StreamState {
  readonly id: string
  readonly status: 'queued' | 'running' | 'finished' | 'failed' | 'cancelled'
  /** 1 is next; null when it does not wait. */
  readonly position: number | null
  readonly eta_ms: number | null
}

export function toState(id: string, { queued, end }: Pick<RequestSnapshot, 'queued' | 'end'>): StreamState {
  const isWaiting = end === null && queued !== null
  return {
    id,
    status: end === null ? (isWaiting ? 'queued' : 'running') : statusAt(end),
    position: isWaiting ? queued.position : null,
    eta_ms: isWaiting && queued.etaMs !== null ? Math.round(queued.etaMs) : null
  }
}

function statusAt(end: TerminalEvent): 'finished' | 'failed' | 'cancelled' {
  if (end.kind === 'finished') return 'finished'
  return end.failure.code === 'cancelled' ? 'cancelled' : 'failed'
}
