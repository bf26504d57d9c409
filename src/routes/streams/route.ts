import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { type GenerationQueue, pagesOf, type RequestSnapshot } from '../../queue/queue.ts'
import { type Dialect, presenterOf, recall } from '../wire/dialect.ts'
import { toErrorBody } from '../wire/errors/error-body.ts'
import { nullIfNotFound } from '../wire/errors/service-errors.ts'
import { type ZodTypes, zodValidator } from '../wire/fields/zod-validator.ts'
import { sendJson } from '../wire/json/send-json.ts'
import { clientGone } from '../wire/request/client-gone.ts'
import { readFlag } from '../wire/request/request-options.ts'
import { answerStream, either, type Until } from '../wire/stream/answer.ts'
import { follow } from '../wire/stream/follow.ts'
import type { StreamTimeouts } from '../wire/stream/sse.ts'
import { assertEmitted, streamNotFound } from '../wire/stream/stored-stream.ts'
import { toState } from '../wire/stream/stream-state.ts'
import { resumePoint } from './resume-point.ts'
import type { Stream } from './schema.ts'

export interface StreamRouteOptions {
  readonly queue: Pick<GenerationQueue, 'snapshot' | 'entries' | 'events' | 'cancel'>
  readonly dialects: readonly Dialect[]
  /** The owner in delivery policies. Callers can only read and cancel their own requests. */
  readonly callerOf: (request: FastifyRequest) => string
  readonly leaving: AbortSignal
  readonly timeouts?: StreamTimeouts
}

const Params = z.object({ id: z.string() })
export const StreamQuery = z.object({
  starting_after: z.string().optional().describe('Id of the last event that was received. Default: 0, which sends all events.'),
  stream: z.string().optional().describe('`false` returns the status of the request and its response so far as JSON. Default: `true`.')
})

/**
 * GET and DELETE /v1/streams/{id}: reads, resumes or cancels a request that is still stored, in the dialect and with
 * the options of the request.
 */
export const streamRoute: FastifyPluginAsync<StreamRouteOptions> = async (app, options) => {
  const { queue, dialects, callerOf } = options
  // A body is ignored, whatever its type.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))

  async function find(id: string, request: FastifyRequest): Promise<RequestSnapshot> {
    const snapshot = await queue.snapshot(id).catch(nullIfNotFound)
    if (snapshot !== null && snapshot.delivery.owner === callerOf(request)) return snapshot
    throw streamNotFound(id)
  }

  async function toResponse(id: string, snapshot: RequestSnapshot): Promise<Stream> {
    const { last, end, delivery } = snapshot
    const answer = presenterOf(delivery.presentation, dialects).open()
    let hasContent = false
    for await (const entries of pagesOf(queue, id, 0, last)) {
      for (const { event } of entries) {
        answer.push(event)
        hasContent ||= event.kind !== 'started' && event.kind !== 'failed'
      }
    }
    const state = toState(id, snapshot)
    return {
      ...state,
      response: hasContent ? answer.toResponse() : null,
      ...(state.status === 'failed' && end?.kind === 'failed' && toErrorBody(end.failure))
    }
  }

  app
    .withTypeProvider<ZodTypes>()
    .get(
      '/v1/streams/:id',
      { schema: { params: Params, querystring: StreamQuery }, validatorCompiler: zodValidator, exposeHeadRoute: false },
      async (request, reply) => {
        const { params, query } = request
        const gone = clientGone(reply)
        const asStream = query.stream === undefined || readFlag('stream', query.stream)
        const { field, afterOrdinal } = resumePoint(request, query.starting_after)
        const snapshot = await find(params.id, request)
        reply.header('x-stream-id', params.id)
        if (!asStream) return sendJson(reply, await toResponse(params.id, snapshot))
        assertEmitted(field, afterOrdinal, snapshot)
        if (snapshot.end !== null && afterOrdinal >= snapshot.last) return reply.code(204).send()

        const { delivery } = snapshot
        const until: Until = { gone, leaving: delivery.onDisconnect === 'cancel' ? null : options.leaving }
        const presenter = presenterOf(delivery.presentation, dialects)
        await recall(presenter, pagesOf(queue, params.id, 0, afterOrdinal))
        const batches = follow(queue, { requestId: params.id, afterOrdinal, signal: either(until), cancels: false })
        await answerStream(reply, presenter, batches, {
          ...until,
          failsEarly: false,
          ...(options.timeouts !== undefined && { timeouts: options.timeouts })
        })
        return reply
      }
    )

  app
    .withTypeProvider<ZodTypes>()
    .delete('/v1/streams/:id', { schema: { params: Params }, validatorCompiler: zodValidator }, async (request, reply) => {
      const { id } = request.params
      await find(id, request)
      await queue.cancel(id)
      return sendJson(reply, await toResponse(id, await find(id, request)))
    })
}
