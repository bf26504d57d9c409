import type { FastifyReply, FastifyRequest } from 'fastify'
import type { GenerationQueue } from '../../../queue/queue.ts'
import { type Dialect, presenterOf, toStored } from '../dialect.ts'
import { sendJson } from '../json/send-json.ts'
import { answerStream, answerWhole, either, type Until } from '../stream/answer.ts'
import { follow } from '../stream/follow.ts'
import type { StreamTimeouts } from '../stream/sse.ts'
import { toState } from '../stream/stream-state.ts'
import type { ParsedRequest } from './parse-request.ts'
import type { RequestOptions } from './request-options.ts'
import { type AccessLog, counted, openRequestStats } from './request-stats.ts'

export interface GenerationParts {
  readonly queue: Pick<GenerationQueue, 'submit' | 'deliveryPolicy' | 'snapshot' | 'events' | 'cancel'>
  /** Of all APIs: an idempotent retry is presented in the dialect of its first attempt. */
  readonly dialects: readonly Dialect[]
  readonly accessLog: AccessLog
  /** Unix milliseconds. */
  readonly clock: () => number
  /** Aborts when this process is about to exit: clients that can resume a stream elsewhere are disconnected. */
  readonly leaving: AbortSignal
  readonly timeouts?: StreamTimeouts
}

/** A request that its route has validated. `options` and the presentation are added to its delivery policy here. */
export interface PreparedRequest extends ParsedRequest {
  readonly options: RequestOptions
  readonly stream: boolean
  readonly servedModelName: string
  readonly gone: AbortSignal
}

/**
 * Submits a request and responds: with a whole body, with a stream, or, in the background without a stream, with the
 * status of the request. An idempotent retry is answered from the request that it repeats.
 *
 * @throws {ServiceError} when the queue refuses the request; the failure of a whole response, or of a stream before its
 *   first visible event
 */
export async function serveGeneration(request: FastifyRequest, reply: FastifyReply, prepared: PreparedRequest, parts: GenerationParts) {
  const { options, stream, servedModelName, gone } = prepared
  const { queue, accessLog, clock } = parts
  const presentation = toStored(prepared.presentation)
  const generation = { ...prepared.generation, delivery: { ...prepared.generation.delivery, ...options, presentation } }
  accessLog.attach(request, openRequestStats(generation, servedModelName, stream).facts)

  gone.throwIfAborted()
  const id = await queue.submit(generation)
  reply.header('x-stream-id', id)
  const stats = openRequestStats({ ...generation, id }, servedModelName, stream)
  accessLog.attach(request, stats.facts)
  const tookMs = () => clock() - generation.admittedAtMs
  if (options.onDisconnect === 'run' && !stream) {
    const state = toState(id, await queue.snapshot(id))
    return reply.code(202).header('location', `/v1/streams/${id}`).header('openai-processing-ms', tookMs()).send(state)
  }

  const presenter = presenterOf(id === generation.id ? presentation : (await queue.deliveryPolicy(id)).presentation, parts.dialects)
  const isPlain = options.onDisconnect === 'cancel'
  const until: Until = { gone, leaving: isPlain ? null : parts.leaving }
  const batches = counted(follow(queue, { requestId: id, afterOrdinal: 0, signal: either(until), cancels: isPlain }), stats)
  if (!stream) {
    const answer = await answerWhole(presenter, batches, until)
    return sendJson(reply.header('openai-processing-ms', tookMs()), answer)
  }
  reply.header('openai-processing-ms', tookMs())
  const { timeouts } = parts
  await answerStream(reply, presenter, batches, { ...until, failsEarly: true, ...(timeouts !== undefined && { timeouts }) })
  return reply
}
