import type { FastifyReply } from 'fastify'
import { ServiceError } from '../../inference/contract/errors.ts'
import type { QueueEvent } from '../../queue/queue.ts'
import type { Presenter } from './dialect.ts'
import { throwEarlyFailure, toServiceError } from './early-failure.ts'
import { INTERNAL_ERROR, toErrorBody } from './error-body.ts'
import { sendSse, sseJson } from './sse.ts'
import { toSseBlocks } from './sse-blocks.ts'

type Batches = AsyncGenerator<readonly QueueEvent[], void>

/**
 * Reads a request to its end.
 *
 * @throws {ServiceError} what it failed with; the reason of `gone` when that ended the reading
 */
export async function answerWhole(presenter: Presenter, batches: Batches, gone: AbortSignal): Promise<object> {
  const answer = presenter.open()
  for await (const batch of batches) {
    for (const { event } of batch) {
      if (event.kind === 'failed') throw toServiceError(event.failure)
      if (event.kind !== 'queued') answer.push(event)
    }
  }
  gone.throwIfAborted()
  return answer.toResponse()
}

export interface StreamOptions {
  readonly gone: AbortSignal
  /** A request that failed before anything was said answers with a status. Else every answer is a stream. */
  readonly failsEarly: boolean
  /** Breaks the connection without an end, so that the client takes the stream up elsewhere; null where it could not. */
  readonly leaving: AbortSignal | null
  readonly keepAliveMs?: number
}

/** Streams what `batches` bring, and closes them. */
export async function answerStream(reply: FastifyReply, presenter: Presenter, batches: Batches, options: StreamOptions): Promise<void> {
  const { gone, failsEarly, leaving, keepAliveMs } = options
  const leave = () => reply.raw.destroy()
  const onError = (error: unknown) => {
    if (error instanceof ServiceError) return sseJson(toErrorBody(error.toFailure()))
    reply.log.error({ err: error }, 'stream broke')
    return sseJson(INTERNAL_ERROR)
  }
  if (leaving?.aborted === true) leave()
  leaving?.addEventListener('abort', leave)
  try {
    const blocks = toSseBlocks(presenter, failsEarly ? await throwEarlyFailure(batches) : batches)
    await sendSse(reply, blocks, { gone, onError, ...(keepAliveMs !== undefined && { keepAliveMs }) })
  } finally {
    leaving?.removeEventListener('abort', leave)
    await batches.return()
  }
}
