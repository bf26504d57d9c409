import type { FastifyReply } from 'fastify'
import { ServiceError } from '../../../inference/contract/errors.ts'
import { eventLoopTurn } from '../../../inference/contract/event-loop.ts'
import type { QueueEvent } from '../../../queue/queue.ts'
import type { Presenter } from '../dialect.ts'
import { INTERNAL_ERROR, toErrorBody } from '../errors/error-body.ts'
import { fromFailure, shuttingDown } from '../errors/service-errors.ts'
import { throwEarlyFailure } from './early-failure.ts'
import { type StreamTimeouts, sendSse, sseJson } from './sse.ts'
import { toSseBlocks } from './sse-blocks.ts'

type Batches = AsyncGenerator<readonly QueueEvent[], void>

/** Signals that end a response early. */
export interface Until {
  /** Aborts when the client disconnects. */
  readonly gone: AbortSignal
  /** Aborts when this process is about to exit; null if the client cannot resume the request elsewhere. */
  readonly leaving: AbortSignal | null
}

export function either({ gone, leaving }: Until): AbortSignal {
  return leaving === null ? gone : AbortSignal.any([gone, leaving])
}

/**
 * Reads a request to its end.
 *
 * @param batches  end without an error when a signal of `until` aborts
 * @returns the whole response, for `sendJson`
 * @throws {ServiceError} the failure of the request; `cancelled` when the client disconnected; `unavailable` when this
 *   process is about to exit
 */
export async function answerWhole(presenter: Presenter, batches: Batches, until: Until): Promise<object> {
  const answer = presenter.open()
  let ended = false
  for await (const batch of batches) {
    for (const { event } of batch) {
      const turn = eventLoopTurn()
      if (turn !== null) await turn
      if (event.kind === 'failed') throw fromFailure(event.failure)
      if (event.kind !== 'queued') answer.push(event)
      ended ||= event.kind === 'finished'
    }
  }
  if (ended) return answer.toResponse()
  until.gone.throwIfAborted()
  throw shuttingDown()
}

export interface StreamOptions extends Until {
  /**
   * Whether a request that failed before its first visible event is answered with an HTTP status instead of a stream.
   */
  readonly failsEarly: boolean
  readonly timeouts?: StreamTimeouts
}

/**
 * Streams `batches` as server-sent events, and closes them. When this process is about to exit, the connection is
 * closed without `[DONE]` and without an error, so that the client resumes.
 *
 * @throws {ServiceError} before the stream has begun: an early failure; `unavailable` when this process is about to
 *   exit
 */
export async function answerStream(reply: FastifyReply, presenter: Presenter, batches: Batches, options: StreamOptions): Promise<void> {
  const { gone, leaving, failsEarly, timeouts } = options
  const leave = () => reply.raw.destroy()
  const onError = (error: unknown) => {
    if (error instanceof ServiceError) return sseJson(toErrorBody(error.toFailure()))
    reply.log.error({ err: error }, 'stream failed')
    return sseJson(INTERNAL_ERROR)
  }
  try {
    const blocks = toSseBlocks(presenter, failsEarly ? await throwEarlyFailure(batches) : batches)
    if (leaving?.aborted === true) throw shuttingDown()
    leaving?.addEventListener('abort', leave)
    await sendSse(reply, blocks, { gone, onError, ...timeouts })
  } finally {
    leaving?.removeEventListener('abort', leave)
    await batches.return()
  }
}
