import { type ErrorCode, ServiceError } from '../../inference/contract/errors.ts'
import { eventLoopTurn } from '../../inference/contract/event-loop.ts'
import { type GenerationQueue, pagesOf, type QueueEvent } from '../../queue/queue.ts'
import { assertEmitted } from '../wire/assert-emitted.ts'
import { type Dialect, type Presenter, presenterOf, recall, toStored } from '../wire/dialect.ts'
import { toServiceError } from '../wire/early-failure.ts'
import { INTERNAL_ERROR, toErrorBody } from '../wire/error-body.ts'
import { follow } from '../wire/follow.ts'
import { framesOf } from '../wire/frames.ts'
import type { RequestParser } from '../wire/request/request-parser.ts'
import { counted, openRequestStats, type RequestFacts, type RequestStats } from '../wire/request/request-stats.ts'
import { type ClientMessage, type CreateMessage, idOf, parseClientMessage, type ResumeMessage } from './client-message.ts'
import type { ServerMessage } from './server-message.ts'
import type { SocketWriter } from './socket-writer.ts'

/** Requests that one socket may follow at once. */
const MAX_REQUESTS = 64
/** Ends of messages that the client could have known before. */
const MISTAKES: ReadonlySet<ErrorCode> = new Set(['invalid_request', 'context_overflow', 'not_found', 'model_not_found'])

export interface SessionParts {
  readonly queue: Pick<GenerationQueue, 'submit' | 'deliveryPolicy' | 'snapshot' | 'entries' | 'events' | 'cancel'>
  readonly dialects: readonly Dialect[]
  /** By the type of message that asks for it. */
  readonly parsers: Readonly<Partial<Record<CreateMessage['type'], RequestParser>>>
  readonly isDraining: () => boolean
  readonly servedModelName: string
  /** Unix milliseconds. */
  readonly clock: () => number
}

export interface SessionOf {
  /** As delivery policies carry it. */
  readonly caller: string
  readonly writer: SocketWriter
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
  async onMessage(text: string | null): Promise<void> {
    let id: string | null = null
    try {
      if (text === null) throw new ServiceError('invalid_request', 'The frame is binary. Only text frames are read.')
      const message = parseClientMessage(text)
      id = message.id
      await this.#dispatch(message)
    } catch (error) {
      this.#emitError(id ?? idOf(text ?? ''), error)
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

  async #dispatch(message: ClientMessage): Promise<void> {
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
    const { queue, parsers, dialects, clock, servedModelName } = this.#parts
    if (this.#parts.isDraining()) throw new ServiceError('unavailable', 'The server is shutting down. Please try again.')
    const admittedAtMs = clock()
    const open = parsers[message.type]
    if (open === undefined) throw new ServiceError('invalid_request', `This server answers no ${message.type}.`, { param: 'type' })
    await this.#follow(message, async followed => {
      const { generation, presentation, ignored, background } = await open(message.body, {
        owner: this.#of.caller,
        admittedAtMs,
        signal: followed.stop.signal
      })
      const stored = toStored(presentation)
      const onDisconnect = message.background === true || background ? 'run' : 'grace'
      const delivery = { ...generation.delivery, onDisconnect, presentation: stored } as const
      const streamId = await queue.submit({ ...generation, delivery })
      followed.streamId = streamId
      followed.cancels = onDisconnect !== 'run'
      if (followed.stop.signal.aborted) {
        if (followed.cancels) await queue.cancel(streamId)
        return
      }
      this.#of.writer.send({
        type: 'started',
        id: message.id,
        stream_id: streamId,
        ...(ignored.length > 0 && { ignored_params: ignored })
      })
      const stats = openRequestStats({ ...generation, delivery }, servedModelName, true)
      await this.#relay(message.id, streamId, 0, presenterOf(stored, dialects), followed, stats)
      this.#of.onEnded(stats.facts())
    })
  }

  async #resume({ id, stream_id, after }: ResumeMessage): Promise<void> {
    const { queue, dialects } = this.#parts
    await this.#follow({ id }, async followed => {
      const delivery = await queue.deliveryPolicy(stream_id).catch(throwUnlessUnknown)
      if (delivery === null || delivery.owner !== this.#of.caller) {
        throw new ServiceError('not_found', `There is no stream \`${stream_id}\`, or it ended too long ago.`, { param: 'stream_id' })
      }
      followed.streamId = stream_id
      const presenter = presenterOf(delivery.presentation, dialects)
      const snapshot = after === 0 ? null : await queue.snapshot(stream_id)
      if (snapshot !== null) assertEmitted('after', after, snapshot)
      this.#of.writer.send({ type: 'started', id, stream_id })
      if (snapshot !== null && snapshot.end !== null && after >= snapshot.last) {
        this.#of.writer.send({ type: 'done', id })
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

  async #relay(
    id: string,
    streamId: string,
    after: number,
    presenter: Presenter,
    followed: Followed,
    stats: RequestStats | null
  ): Promise<void> {
    const { writer } = this.#of
    const { signal } = followed.stop
    const reading = follow(this.#parts.queue, { requestId: streamId, afterOrdinal: after, signal, cancels: false })
    let last = after
    for await (const batch of stats === null ? reading : counted(reading, stats)) {
      for (const entry of batch) {
        for (const message of messagesOf(id, entry, presenter)) {
          const turn = eventLoopTurn()
          if (turn !== null) await turn
          while (!writer.hasRoom) {
            if (await writer.room()) continue
            writer.send({ type: 'parked', id, stream_id: streamId, after: last })
            return
          }
          writer.send(message)
        }
        last = entry.ordinal ?? last
      }
    }
  }

  #emitError(id: string | null, error: unknown): void {
    const isOurs = !(error instanceof ServiceError)
    if (isOurs) this.#of.onBug(error)
    const body = isOurs ? INTERNAL_ERROR : toErrorBody(error.toFailure())
    this.#of.writer.send({ type: 'error', id, error: body.error })
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
