import type { FastifyReply } from 'fastify'
import { ServiceError } from '../../inference/contract/errors.ts'
import { eventLoopTurn } from '../../inference/contract/event-loop.ts'
import type { QueueEvent } from '../../queue/queue.ts'
import type { Presenter } from './dialect.ts'
import { throwEarlyFailure, toServiceError } from './early-failure.ts'
import { INTERNAL_ERROR, toErrorBody } from './error-body.ts'
import { type Pace, sendSse, sseJson } from './sse.ts'
import { toSseBlocks } from './sse-blocks.ts'

type Batches = AsyncGenerator<readonly QueueEvent[], void>

/** What ends an answer before its time. */
export interface Until {
  /** The client went. */
  readonly gone: AbortSignal
  /** This process goes, and the client can take the request up elsewhere; null where it could not. */
  readonly leaving: AbortSignal | null
}

export function either({ gone, leaving }: Until): AbortSignal {
  return leaving === null ? gone : AbortSignal.any([gone, leaving])
}

/**
 * Reads a request to its end.
 *
 * @param batches  end without an error when one of `until` aborts
 * @returns the whole response, for `sendJson`
 * @throws {ServiceError} what the request failed with; `cancelled` when the client went; `unavailable` when this
 *   process goes
 */
export async function answerWhole(presenter: Presenter, batches: Batches, until: Until): Promise<object> {
  const answer = presenter.open()
  let ended = false
  for await (const batch of batches) {
    for (const { event } of batch) {
      const turn = eventLoopTurn()
      if (turn !== null) await turn
      if (event.kind === 'failed') throw toServiceError(event.failure)
      if (event.kind !== 'queued') answer.push(event)
      ended ||= event.kind === 'finished'
    }
  }
  if (ended) return answer.toResponse()
  until.gone.throwIfAborted()
  throw shuttingDown()
}

export interface StreamOptions extends Until {
  /** A request that failed before anything was said answers with a status. Else every answer is a stream. */
  readonly failsEarly: boolean
  readonly pace?: Pace
}

/**
 * Streams what `batches` bring, and closes them. When this process goes, the connection breaks without an end: no
 * `[DONE]`, no error.
 *
 * @throws {ServiceError} before the stream has begun: an early failure; `unavailable` when this process goes
 */
export async function answerStream(reply: FastifyReply, presenter: Presenter, batches: Batches, options: StreamOptions): Promise<void> {
  const { gone, leaving, failsEarly, pace } = options
  const leave = () => reply.raw.destroy()
  const onError = (error: unknown) => {
    if (error instanceof ServiceError) return sseJson(toErrorBody(error.toFailure()))
    reply.log.error({ err: error }, 'stream broke')
    return sseJson(INTERNAL_ERROR)
  }
  try {
    const blocks = toSseBlocks(presenter, failsEarly ? await throwEarlyFailure(batches) : batches)
    if (leaving?.aborted === true) throw shuttingDown()
    leaving?.addEventListener('abort', leave)
    await sendSse(reply, blocks, { gone, onError, ...pace })
  } finally {
    leaving?.removeEventListener('abort', leave)
    await batches.return()
  }
}

function shuttingDown(): ServiceError {
  return new ServiceError('unavailable', 'The server is shutting down. Please try again.')
}
