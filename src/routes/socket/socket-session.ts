import { type ErrorCode, ServiceError } from '../../inference/contract/errors.ts'
import { eventLoopTurn } from '../../inference/contract/event-loop.ts'
import { invariant } from '../../inference/contract/invariant.ts'
import { type GenerationQueue, pagesOf, type QueueEvent } from '../../queue/queue.ts'
import { type Presenter, presenterOf, recall, toStored } from '../wire/dialect.ts'
import { INTERNAL_ERROR, toErrorBody } from '../wire/errors/error-body.ts'
import { fromFailure, invalid, nullIfNotFound, shuttingDown } from '../wire/errors/service-errors.ts'
import type { GenerationApi } from '../wire/generation-api.ts'
import { counted, openRequestStats, type RequestFacts, type RequestStats } from '../wire/request/request-stats.ts'
import { follow } from '../wire/stream/follow.ts'
import { framesOf } from '../wire/stream/frames.ts'
import { assertEmitted, streamNotFound } from '../wire/stream/stored-stream.ts'
import { type ClientMessage, type ClientMessageParser, type CreateMessage, idOf, type ResumeMessage } from './client-message.ts'
import { type CreateParts, createRequest } from './create-request.ts'
import type { ServerMessage } from './server-message.ts'
import type { SocketWriter } from './socket-writer.ts'

/** Maximum number of concurrent requests on one socket. */
const MAX_REQUESTS = 64
/** Errors that the client could have avoided. */
const MISTAKES: ReadonlySet<ErrorCode> = new Set(['invalid_request', 'context_overflow', 'not_found', 'model_not_found'])

export interface SessionParts extends CreateParts {
  readonly queue: Pick<GenerationQueue, 'submit' | 'deliveryPolicy' | 'snapshot' | 'entries' | 'events' | 'cancel'>
  readonly apis: readonly GenerationApi[]
  readonly isDraining: () => boolean
  /** Unix milliseconds. */
  readonly clock: () => number
}

export interface Connection {
  /** The owner in delivery policies. */
  readonly caller: string
  readonly parseMessage: ClientMessageParser
  readonly writer: SocketWriter
  /** Called when a message was refused because of the client. */
  readonly onMistake: () => void
  readonly onEnded: (facts: RequestFacts) => void
  readonly onBug: (error: unknown) => void
}

interface Followed {
  readonly stop: AbortController
  /** Null until the queue has admitted the request. */
  streamId: string | null
  /** Whether the request is cancelled when the socket closes. */
  cancels: boolean
}

/** One socket and its requests. Messages may arrive at any time; every response has the id of its message. */
export class SocketSession {
  readonly #parts: SessionParts
  readonly #connection: Connection
  readonly #followed = new Map<string, Followed>()

  constructor(parts: SessionParts, connection: Connection) {
    this.#parts = parts
    this.#connection = connection
  }

  /**
   * Resolves when the message was answered completely.
   *
   * @param text  null for a binary frame
   */
  async onMessage(text: string | null): Promise<void> {
    let id: string | null = null
    try {
      if (text === null) throw new ServiceError('invalid_request', 'The frame is binary. Only text frames are supported.')
      const message = this.#connection.parseMessage(text)
      id = message.id
      await this.#dispatch(message)
    } catch (error) {
      this.#emitError(id ?? idOf(text ?? ''), error)
      if (error instanceof ServiceError && MISTAKES.has(error.code)) this.#connection.onMistake()
    }
  }

  /**
   * To be called when the socket has closed: cancels the requests that do not run in the background.
   *
   * @param isLeaving  whether this process closed the socket because it is about to exit: then clients resume
   *   elsewhere, and nothing is cancelled
   */
  async leave(isLeaving: boolean): Promise<void> {
    const left = [...this.#followed.values()]
    this.#followed.clear()
    for (const { stop } of left) stop.abort(cancelled())
    if (isLeaving) return
    await Promise.all(left.map(({ streamId, cancels }) => (cancels && streamId !== null ? this.#parts.queue.cancel(streamId) : null)))
  }

  async #dispatch(message: ClientMessage): Promise<void> {
    switch (message.type) {
      case 'resume':
        return await this.#resume(message)
      case 'cancel':
        return await this.#cancel(message.id)
      default:
        return await this.#create(message)
    }
  }

  async #create(message: CreateMessage): Promise<void> {
    const { queue, apis, card, clock } = this.#parts
    if (this.#parts.isDraining()) throw shuttingDown()
    const admittedAtMs = clock()
    const api = apis.find(({ messageType }) => messageType === message.type)
    invariant(api !== undefined, `a message of the type ${message.type} was accepted without an API`)
    await this.#follow(message, async followed => {
      const { generation, presentation, ignored, background } = await createRequest(api, message.body, this.#parts, {
        callerSalt: this.#connection.caller,
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
      this.#connection.writer.send({
        type: 'started',
        id: message.id,
        stream_id: streamId,
        ...(ignored.length > 0 && { ignored_params: ignored })
      })
      const stats = openRequestStats({ ...generation, delivery }, card.servedModelName, true)
      await this.#relay(message.id, streamId, 0, presenterOf(stored, apis), followed, stats)
      this.#connection.onEnded(stats.facts())
    })
  }

  async #resume({ id, stream_id, after }: ResumeMessage): Promise<void> {
    const { queue, apis } = this.#parts
    await this.#follow({ id }, async followed => {
      const delivery = await queue.deliveryPolicy(stream_id).catch(nullIfNotFound)
      if (delivery === null || delivery.owner !== this.#connection.caller) throw streamNotFound(stream_id, 'stream_id')
      followed.streamId = stream_id
      const presenter = presenterOf(delivery.presentation, apis)
      const snapshot = after === 0 ? null : await queue.snapshot(stream_id)
      if (snapshot !== null) assertEmitted('after', after, snapshot)
      this.#connection.writer.send({ type: 'started', id, stream_id })
      if (snapshot !== null && snapshot.end !== null && after >= snapshot.last) {
        this.#connection.writer.send({ type: 'done', id })
        return
      }
      await recall(presenter, pagesOf(queue, stream_id, 0, after))
      await this.#relay(id, stream_id, after, presenter, followed, null)
    })
  }

  async #cancel(id: string): Promise<void> {
    const followed = this.#followed.get(id)
    if (followed === undefined) throw new ServiceError('not_found', `There is no request \`${id}\` on this socket.`, { param: 'id' })
    if (followed.streamId === null) followed.stop.abort(cancelled())
    else await this.#parts.queue.cancel(followed.streamId)
  }

  /** Registers a request under the client's id while `run` works on it. */
  async #follow({ id }: { readonly id: string }, run: (followed: Followed) => Promise<void>): Promise<void> {
    if (this.#followed.has(id)) throw invalid('id', `Invalid 'id': \`${id}\` is in use on this socket.`)
    if (this.#followed.size >= MAX_REQUESTS) {
      throw new ServiceError('queue_full', `Too many requests on this socket. Expected at most ${MAX_REQUESTS} at a time.`)
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
    const { writer } = this.#connection
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
    const isBug = !(error instanceof ServiceError)
    if (isBug) this.#connection.onBug(error)
    const body = isBug ? INTERNAL_ERROR : toErrorBody(error.toFailure())
    this.#connection.writer.send({ type: 'error', id, error: body.error })
  }
}

/** Reason of the abort signal that drops text work which has not begun. */
function cancelled(): ServiceError {
  return new ServiceError('cancelled', 'The request was cancelled before it was admitted.')
}

/** @throws {ServiceError} the failure of the request */
function* messagesOf(id: string, entry: QueueEvent, presenter: Presenter): Generator<ServerMessage, void> {
  if (entry.ordinal === null) {
    const { position, etaMs } = entry.event
    yield { type: 'queue', id, position, eta_ms: etaMs === null ? null : Math.round(etaMs) }
    return
  }
  const { event } = entry
  if (event.kind === 'failed') throw fromFailure(event.failure)
  for (const { data, completes } of framesOf(presenter, entry)) {
    yield { type: 'chunk', id, ...(completes !== null && { seq: completes }), data }
  }
  if (event.kind === 'finished') yield { type: 'done', id }
}
