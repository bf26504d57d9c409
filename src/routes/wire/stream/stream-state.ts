import { z } from 'zod'
import type { TerminalEvent } from '../../../inference/contract/events.ts'
import type { RequestSnapshot } from '../../../queue/queue.ts'

export const StreamStateSchema = z
  .object({
    id: z.string().describe('Identifier of the stream.'),
    status: z.enum(['queued', 'running', 'finished', 'failed', 'cancelled']).describe('Status of the request.'),
    position: z.int().min(1).nullable().describe('Position in the queue; 1 is next, null if the request is not waiting.'),
    eta_ms: z.int().min(0).nullable().describe('Estimated time in milliseconds until the request starts; null if unknown.')
  })
  .meta({ id: 'StreamState', description: 'Status of a request.' })
export type StreamState = Readonly<z.output<typeof StreamStateSchema>>

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
