import type { LogEntry } from '../../inference/contract/events.ts'
import type { Presenter } from './dialect.ts'

/** One chunk on its way to a client that may be cut off behind it. */
export interface Frame {
  readonly data: object
  /** The ordinal of its entry, if the entry is complete with it: a stream is taken up behind whole entries only. */
  readonly completes: number | null
}

/**
 * What an entry adds, as frames to be sent in this order. They are made one by one: an entry may show in many choices.
 */
export function* framesOf(presenter: Presenter, { ordinal, event }: LogEntry): Generator<Frame, void> {
  let previous: object | null = null
  for (const data of presenter.chunks(event)) {
    if (previous !== null) yield { data: previous, completes: null }
    previous = data
  }
  if (previous !== null) yield { data: previous, completes: ordinal }
}
