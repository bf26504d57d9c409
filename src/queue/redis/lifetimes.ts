import type { Ticket } from '../../inference/contract/ticket.ts'

/** TTL of a request and its log that have not ended: renewed by whoever attends, claims or writes them, so this is how long forgotten ones last. */
export const LIFE_MS = 3_600_000

const PLAIN_RETENTION_MS = 60_000

/** How long the log of an ended request can be read. */
export function retentionOf({ unattended }: Ticket, retentionMs: number): number {
  return unattended === 'cancel' ? PLAIN_RETENTION_MS : retentionMs
}
