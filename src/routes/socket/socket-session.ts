import { type ErrorCode, ServiceError } from '../../inference/contract/errors.ts'
import { eventLoopTurn } from '../../inference/contract/event-loop.ts'
import { type GenerationQueue, pagesOf, type QueueEvent } from '../../queue/queue.ts'
import { assertSaid } from '../wire/assert-said.ts'
import { type Dialect, type Presenter, presenterOf, recall, toStored } from '../wire/dialect.ts'
import { toServiceError } from '../wire/early-failure.ts'
import { INTERNAL_ERROR, toErrorBody } from '../wire/error-body.ts'
import { follow } from '../wire/follow.ts'
import { framesOf } from '../wire/frames.ts'
import type { Opener } from '../wire/opener.ts'
import { counted, openTally, type RequestFacts, type Tally } from '../wire/tally.ts'
import { type ClientMessage, type CreateMessage, idOf, parseClientMessage, type ResumeMessage } from './client-message.ts'
import type { Outbox } from './outbox.ts'
import type { ServerMessage } from './server-message.ts'

/** Requests that one socket may follow at once. */
const MAX_REQUESTS = 64
/** Ends of messages that the client could have known before. */
const MISTAKES: ReadonlySet<ErrorCode> = new Set(['invalid_request', 'context_overflow', 'not_found', 'model_not_found'])

export interface SessionParts {
  readonly queue: Pick<GenerationQueue, 'submit' | 'ticket' | 'snapshot' | 'entries' | 'events' | 'cancel'>
  readonly dialects: readonly Dialect[]
  /** By the type of message that asks for it. */
  readonly openers: Readonly<Partial<Record<CreateMessage['type'], Opener>>>
  readonly isDraining: () => boolean
  readonly servedModelName: string
  /** Unix milliseconds. */
  readonly clock: () => number
}

export interface SessionOf {
  /** As tickets carry it. */
  readonly caller: string
  readonly outbox: Outbox
  /** A message was refused for the client's own fault. */
  readonly onMistake: () => void
  readonly onEnded: (facts: RequestFacts) => void
  readonly onBug: (error: unknown) => void
}

interface Followed {
  readonly stop: AbortController
  /** Known once the queue has admitted it. */
  streamId: string | null
  /** Whoever leaves it cancels it. */
  cancels: boolean
}

/** One socket and the requests that it follows. Messages may come at any time; each is answered with its own id. */
export class SocketSession {
  readonly #parts: SessionParts
  readonly #of: SessionOf
  readonly #followed = new Map<string, Followed>()

  constructor(parts: SessionParts, of: SessionOf) {
    this.#parts = parts
    this.#of = of
  }

  get isIdle(): boolean {
    return this.#followed.size === 0
  }

  /**
   * Resolves when the message has had its whole answer.
   *
   * @param text  null where the frame was binary
   */
  async hear(text: string | null): Promise<void> {
    let id: string | null = null
    try {
      if (text === null) throw new ServiceError('invalid_request', 'The frame is binary. Only text frames are read.')
      const message = parseClientMessage(text)
      id = message.id
      await this.#obey(message)
    } catch (error) {
      this.#tell(id ?? idOf(text ?? ''), error)
      if (error instanceof ServiceError && MISTAKES.has(error.code)) this.#of.onMistake()
    }
  }

  /**
   * The socket is gone: what nobody else is meant to read is cancelled.
   *
   * @param isSentAway  its client was told to read on elsewhere: nothing is cancelled
   */
  async leave(isSentAway: boolean): Promise<void> {
    const left = [...this.#followed.values()]
    this.#followed.clear()
    for (const { stop } of left) stop.abort(cancelled())
    if (isSentAway) return
    await Promise.all(left.map(({ streamId, cancels }) => (cancels && streamId !== null ? this.#parts.queue.cancel(streamId) : null)))
  }

  async #obey(message: ClientMessage): Promise<void> {
    switch (message.type) {
      case 'completion.create':
      case 'chat.create':
        return await this.#create(message)
      case 'resume':
        return await this.#resume(message)
      case 'cancel':
        return await this.#cancel(message.id)
      default:
        return message satisfies never
    }
  }

  async #create(message: CreateMessage): Promise<void> {
    const { queue, openers, dialects, clock, servedModelName } = this.#parts
    if (this.#parts.isDraining()) throw new ServiceError('unavailable', 'The server is shutting down. Please try again.')
    const admittedAtMs = clock()
    const open = openers[message.type]
    if (open === undefined) throw new ServiceError('invalid_request', `This server answers no ${message.type}.`, { param: 'type' })
    await this.#follow(message, async followed => {
      const { generation, presentation, ignored, background } = await open(message.body, {
        owner: this.#of.caller,
        admittedAtMs,
        signal: followed.stop.signal
      })
      const stored = toStored(presentation)
      const unattended = message.background === true || background ? 'run' : 'grace'
      const ticket = { ...generation.ticket, unattended, presentation: stored } as const
      const streamId = await queue.submit({ ...generation, ticket })
      followed.streamId = streamId
      followed.cancels = unattended !== 'run'
      if (followed.stop.signal.aborted) {
        if (followed.cancels) await queue.cancel(streamId)
        return
      }
      this.#of.outbox.send({
        type: 'started',
        id: message.id,
        stream_id: streamId,
        ...(ignored.length > 0 && { ignored_params: ignored })
      })
      const tally = openTally({ ...generation, ticket }, servedModelName, true)
      await this.#relay(message.id, streamId, 0, presenterOf(stored, dialects), followed, tally)
      this.#of.onEnded(tally.facts())
    })
  }

  async #resume({ id, stream_id, after }: ResumeMessage): Promise<void> {
    const { queue, dialects } = this.#parts
    await this.#follow({ id }, async followed => {
      const ticket = await queue.ticket(stream_id).catch(throwUnlessUnknown)
      if (ticket === null || ticket.owner !== this.#of.caller) {
        throw new ServiceError('not_found', `There is no stream \`${stream_id}\`, or it ended too long ago.`, { param: 'stream_id' })
      }
      followed.streamId = stream_id
      const presenter = presenterOf(ticket.presentation, dialects)
      const snapshot = after === 0 ? null : await queue.snapshot(stream_id)
      if (snapshot !== null) assertSaid('after', after, snapshot)
      this.#of.outbox.send({ type: 'started', id, stream_id })
      if (snapshot !== null && snapshot.end !== null && after >= snapshot.last) {
        this.#of.outbox.send({ type: 'done', id })
        return
      }
      await recall(presenter, pagesOf(queue, stream_id, 0, after))
      await this.#relay(id, stream_id, after, presenter, followed, null)
    })
  }

  async #cancel(id: string): Promise<void> {
    const followed = this.#followed.get(id)
    if (followed === undefined) throw new ServiceError('not_found', `This socket follows no request \`${id}\`.`, { param: 'id' })
    if (followed.streamId === null) followed.stop.abort(cancelled())
    else await this.#parts.queue.cancel(followed.streamId)
  }

  /** Keeps the books of one request while `run` works on it. */
  async #follow({ id }: { readonly id: string }, run: (followed: Followed) => Promise<void>): Promise<void> {
    if (this.#followed.has(id))
      throw new ServiceError('invalid_request', `Invalid 'id': \`${id}\` is in use on this socket.`, { param: 'id' })
    if (this.#followed.size >= MAX_REQUESTS) {
      throw new ServiceError('queue_full', `This socket follows ${MAX_REQUESTS} requests already, and no more are allowed.`)
    }
    const followed: Followed = { stop: new AbortController(), streamId: null, cancels: false }
    this.#followed.set(id, followed)
    try {
      await run(followed)
    } finally {
      if (this.#followed.get(id) === followed) this.#followed.delete(id)
    }
  }

  async #relay(id: string, streamId: string, after: number, presenter: Presenter, followed: Followed, tally: Tally | null): Promise<void> {
    const { outbox } = this.#of
    const { signal } = followed.stop
    const reading = follow(this.#parts.queue, { requestId: streamId, afterOrdinal: after, signal, cancels: false })
    let last = after
    for await (const batch of tally === null ? reading : counted(reading, tally)) {
      for (const entry of batch) {
        for (const message of messagesOf(id, entry, presenter)) {
          const turn = eventLoopTurn()
          if (turn !== null) await turn
          while (!outbox.hasRoom) {
            if (await outbox.room()) continue
            outbox.send({ type: 'parked', id, stream_id: streamId, after: last })
            return
          }
          outbox.send(message)
        }
        last = entry.ordinal ?? last
      }
    }
  }

  #tell(id: string | null, error: unknown): void {
    const isOurs = !(error instanceof ServiceError)
    if (isOurs) this.#of.onBug(error)
    const body = isOurs ? INTERNAL_ERROR : toErrorBody(error.toFailure())
    this.#of.outbox.send({ type: 'error', id, error: body.error })
  }
}

/** Text work that has not begun ends with it. */
function cancelled(): ServiceError {
  return new ServiceError('cancelled', 'The request was cancelled before it was admitted.')
}

/** @throws {ServiceError} what the request failed with */
function* messagesOf(id: string, entry: QueueEvent, presenter: Presenter): Generator<ServerMessage, void> {
  if (entry.ordinal === null) {
    const { position, etaMs } = entry.event
    yield { type: 'queue', id, position, eta_ms: etaMs === null ? null : Math.round(etaMs) }
    return
  }
  const { event } = entry
  if (event.kind === 'failed') throw toServiceError(event.failure)
  for (const { data, completes } of framesOf(presenter, entry)) {
    yield { type: 'chunk', id, ...(completes !== null && { seq: completes }), data }
  }
  if (event.kind === 'finished') yield { type: 'done', id }
}

function throwUnlessUnknown(error: unknown): null {
  if (error instanceof ServiceError && error.code === 'not_found') return null
  throw error
}
