import type { LogEntry } from '../../../inference/contract/events.ts'
import type { Presenter } from '../dialect.ts'

/** One chunk to be sent. */
export interface Frame {
  readonly data: object
  /**
   * Ordinal of the log entry if this is its last chunk, else null. Clients resume after whole entries only, because the
   * connection may break between two chunks of one entry.
   */
  readonly completes: number | null
}

/** The chunks of one log entry, in order. They are created one at a time, because an entry may add to many choices. */
export function* framesOf(presenter: Presenter, { ordinal, event }: LogEntry): Generator<Frame, void> {
  let previous: object | null = null
  for (const data of presenter.chunks(event)) {
    if (previous !== null) yield { data: previous, completes: null }
    previous = data
  }
  if (previous !== null) yield { data: previous, completes: ordinal }
}
