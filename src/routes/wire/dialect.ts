import { z } from 'zod'
import type { LogEntry, LoggedEvent } from '../../inference/contract/events.ts'
import { invariant } from '../../inference/contract/invariant.ts'

/**
 * One API's way to show the events of a request. Where an answer comes from (a new request, a retry, a resume) makes no
 * difference to it.
 */
export interface Dialect {
  /** Kept with each request: never renamed. */
  readonly name: string
  /**
   * @param view  what `Presentation.view` was, read back from JSON
   * @throws {z.ZodError} when it is not a view of this dialect
   */
  presenter(view: unknown): Presenter
}

/** A dialect and the options of one request. */
export interface Presenter {
  /**
   * What an event adds, as chunks to be sent in this order; empty when it adds nothing that a client could see.
   * A function of the event alone, so that a stream can be taken up at any entry, or of it and those that came before.
   * `failed` adds nothing: its error is the same in all dialects.
   */
  chunks(event: LoggedEvent): Iterable<object>
  /** Only where what came before matters: takes the events, in their order, behind which a stream is taken up. */
  recall?(event: LoggedEvent): void
  open(): AnswerInProgress
}

/** A whole response that grows event by event, so that nobody has to keep the events. */
export interface AnswerInProgress {
  push(event: LoggedEvent): void
  /** The response as far as it goes: complete behind `finished`, without usage before. Plain data and lazy lists. */
  toResponse(): object
}

/** How a request is presented, as its delivery policy keeps it: plain data, the same for every reader. */
export interface Presentation {
  readonly dialect: string
  /**
   * All that the dialect needs besides the events: the request's options and the response's constant parts. Survives
   * JSON.
   */
  readonly view: object
}

const StoredPresentation = z.object({ dialect: z.string(), view: z.looseObject({}) })

export function toStored(presentation: Presentation): string {
  return JSON.stringify(presentation)
}

/** Has a presenter take in what stands before the place where a stream is taken up, if that matters to it. */
export async function recall(presenter: Presenter, pages: AsyncIterable<readonly LogEntry[]>): Promise<void> {
  if (presenter.recall === undefined) return
  for await (const entries of pages) for (const { event } of entries) presenter.recall(event)
}

/** @throws when `stored` was not made by `toStored`, or names none of `dialects`: a bug of ours */
export function presenterOf(stored: string, dialects: readonly Dialect[]): Presenter {
  const { dialect: name, view } = StoredPresentation.parse(JSON.parse(stored))
  const dialect = dialects.find(one => one.name === name)
  invariant(dialect !== undefined, `a request is presented in the dialect ${name}, which nobody speaks`)
  return dialect.presenter(view)
}
