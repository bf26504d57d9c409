import { z } from 'zod'
import type { LogEntry, LoggedEvent } from '../../inference/contract/events.ts'
import { invariant } from '../../inference/contract/invariant.ts'

/**
 * How an API presents the events of a request. The source of the events (a new request, a retry, a resumed stream)
 * makes no difference.
 */
export interface Dialect {
  /** Stored with each request: never rename it. */
  readonly name: string
  /**
   * @param view  a `Presentation.view`, read back from JSON
   * @throws {z.ZodError} when it is not a view of this dialect
   */
  presenter(view: unknown): Presenter
}

/** A dialect with the options of one request. */
export interface Presenter {
  /**
   * Returns the chunks for one event, in order; none if the event adds nothing that a client can see. The result
   * depends on the event alone, or with `recall` on the events before it, so that a stream can be resumed at any entry.
   * `failed` has no chunks: errors are the same in all dialects.
   */
  chunks(event: LoggedEvent): Iterable<object>
  /** Only if chunks depend on earlier events: receives the events before the position where a stream is resumed. */
  recall?(event: LoggedEvent): void
  open(): AnswerInProgress
}

/** A whole response that is built event by event. */
export interface AnswerInProgress {
  push(event: LoggedEvent): void
  /** The response so far: complete after `finished`, without usage before. Plain data and lazy lists. */
  toResponse(): Readonly<Record<string, unknown>>
}

/** How a request is presented: plain data, stored in its delivery policy, the same for every reader. */
export interface Presentation {
  readonly dialect: string
  /** The request's options and the constant parts of the response. Survives JSON. */
  readonly view: object
}

const StoredPresentation = z.object({ dialect: z.string(), view: z.looseObject({}) })

export function toStored(presentation: Presentation): string {
  return JSON.stringify(presentation)
}

/** Passes the events before the resume position to a presenter that needs them. */
export async function recall(presenter: Presenter, pages: AsyncIterable<readonly LogEntry[]>): Promise<void> {
  if (presenter.recall === undefined) return
  for await (const entries of pages) for (const { event } of entries) presenter.recall(event)
}

/** @throws when `stored` was not made by `toStored`, or names none of `dialects`: a bug */
export function presenterOf(stored: string, dialects: readonly Dialect[]): Presenter {
  const { dialect: name, view } = StoredPresentation.parse(JSON.parse(stored))
  const dialect = dialects.find(one => one.name === name)
  invariant(dialect !== undefined, `a stored request has the unknown dialect ${name}`)
  return dialect.presenter(view)
}
