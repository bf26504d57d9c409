import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { ServiceError } from '../../inference/contract/errors.ts'
import { type GenerationQueue, pagesOf, type RequestSnapshot } from '../../queue/queue.ts'
import { answerStream, either, type Until } from '../wire/answer.ts'
import { assertEmitted } from '../wire/assert-emitted.ts'
import { type Dialect, presenterOf, recall } from '../wire/dialect.ts'
import { toErrorBody } from '../wire/error-body.ts'
import { type ZodTypes, zodValidator } from '../wire/fields/zod-validator.ts'
import { follow } from '../wire/follow.ts'
import { clientGone } from '../wire/request/client-gone.ts'
import { readFlag } from '../wire/request/request-options.ts'
import { sendJson } from '../wire/send-json.ts'
import type { Pace } from '../wire/sse.ts'
import { toState } from '../wire/stream-state.ts'
import { resumePoint } from './resume-point.ts'

export interface StreamRouteOptions {
  readonly queue: Pick<GenerationQueue, 'snapshot' | 'entries' | 'events' | 'cancel'>
  readonly dialects: readonly Dialect[]
  /** As delivery policies carry it: nobody reads or cancels what is another's. */
  readonly callerOf: (request: FastifyRequest) => string
  readonly leaving: AbortSignal
  readonly pace?: Pace
}

const MAX_SHOWN_CHARS = 64
const Params = z.object({ id: z.string() })
export const StreamQuery = z.object({
  starting_after: z.string().optional().describe('The number of the last event that was read; 0 or nothing for all.'),
  stream: z.string().optional().describe('`false`: the answer so far, and where the request stands, as JSON.')
})

/**
 * GET and DELETE /v1/streams/{id}: any request that has not been forgotten, in the dialect and with the options it was
 * made with.
 */
export const streamRoute: FastifyPluginAsync<StreamRouteOptions> = async (app, options) => {
  const { queue, dialects, callerOf } = options
  // No body is needed here: one that comes all the same is not read, whatever its type.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))

  async function find(id: string, request: FastifyRequest): Promise<RequestSnapshot> {
    const snapshot = await queue.snapshot(id).catch(throwUnlessUnknown)
    if (snapshot !== null && snapshot.delivery.owner === callerOf(request)) return snapshot
    throw new ServiceError('not_found', `There is no stream \`${id.slice(0, MAX_SHOWN_CHARS)}\`, or it ended too long ago.`)
  }

  async function toAnswer(id: string, snapshot: RequestSnapshot) {
    const { last, end, delivery } = snapshot
    const answer = presenterOf(delivery.presentation, dialects).open()
    let emitsChunk = false
    for await (const entries of pagesOf(queue, id, 0, last)) {
      for (const { event } of entries) {
        answer.push(event)
        emitsChunk ||= event.kind !== 'started' && event.kind !== 'failed'
      }
    }
    const state = toState(id, snapshot)
    return {
      ...state,
      response: emitsChunk ? answer.toResponse() : null,
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
        if (!asStream) return sendJson(reply, await toAnswer(params.id, snapshot))
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
          ...(options.pace !== undefined && { pace: options.pace })
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
      return sendJson(reply, await toAnswer(id, await find(id, request)))
    })
}

function throwUnlessUnknown(error: unknown): null {
  if (error instanceof ServiceError && error.code === 'not_found') return null
  throw error
}
