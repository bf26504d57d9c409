import type { FastifyReply, FastifyRequest } from 'fastify'
import type { GenerationRequest } from '../../../inference/contract/request.ts'
import type { GenerationQueue } from '../../../queue/queue.ts'
import { answerStream, answerWhole, either, type Until } from '../answer.ts'
import { type Dialect, type Presentation, presenterOf, toStored } from '../dialect.ts'
import { follow } from '../follow.ts'
import { sendJson } from '../send-json.ts'
import type { Pace } from '../sse.ts'
import { toState } from '../stream-state.ts'
import type { RequestOptions } from './request-options.ts'
import { type AccessLog, counted, openRequestStats } from './request-stats.ts'

/** Parts that every route which generates is given. */
export interface GenerationParts {
  readonly queue: Pick<GenerationQueue, 'submit' | 'deliveryPolicy' | 'snapshot' | 'events' | 'cancel'>
  /** All there are: a retry is answered in the dialect of its first attempt. */
  readonly dialects: readonly Dialect[]
  readonly accessLog: AccessLog
  /** Unix milliseconds. */
  readonly clock: () => number
  /** Aborts when this process is about to go: whoever can take a stream up elsewhere is sent there. */
  readonly leaving: AbortSignal
  readonly pace?: Pace
}

/** A request that its route has read and found good. */
export interface PreparedRequest {
  /** Its delivery policy holds what the route knows of it (owner, priority); terms and presentation are added here. */
  readonly generation: GenerationRequest
  readonly options: RequestOptions
  readonly presentation: Presentation
  readonly stream: boolean
  readonly servedModelName: string
  readonly gone: AbortSignal
}

/**
 * Submits a request and answers as was asked: whole, as a stream, or, for work in the background that nobody waits for,
 * with where to find it. An idempotent retry is answered with the request that it repeats.
 *
 * @throws {ServiceError} what the queue refuses with; what a whole answer failed with, and a stream before its first
 *   event
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
  await answerStream(reply, presenter, batches, { ...until, failsEarly: true, ...(parts.pace !== undefined && { pace: parts.pace }) })
  return reply
}
