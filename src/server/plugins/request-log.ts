import type { FastifyInstance, FastifyRequest } from 'fastify'
import { CLIENT_REQUEST_ID } from '../../routes/wire/client-request-id.ts'
import type { Journal, RequestFacts } from '../../routes/wire/tally.ts'

/** Nginx's status for a client that went before its answer; the wire never carries it. */
const CLIENT_GONE = 499

/**
 * One line for each request when its answer is over, however it ends: written, streamed, broken or left.
 * It says who, what and how long; never a prompt, an answer, a key or a query.
 */
export function logRequests(app: FastifyInstance, clock: () => number): Journal {
  const facts = new WeakMap<FastifyRequest, () => RequestFacts>()
  app.addHook('onRequest', async (request, reply) => {
    const startedAtMs = clock()
    reply.raw.once('close', () => {
      const status = reply.raw.writableEnded ? reply.raw.statusCode : CLIENT_GONE
      const line = {
        method: request.method,
        route: request.routeOptions.url ?? null,
        status,
        durationMs: Math.round(clock() - startedAtMs),
        clientRequestId: reply.getHeader(CLIENT_REQUEST_ID),
        ...outcomeAt(status, facts.get(request)?.())
      }
      request.log.info(line, 'request')
    })
  })
  return { attach: (request, read) => void facts.set(request, read) }
}

/** Who leaves a plain request cancels it: the queue says so only after nobody reads any more. */
function outcomeAt(status: number, facts: RequestFacts | undefined): RequestFacts | undefined {
  if (facts === undefined || facts.outcome !== null || facts.unattended !== 'cancel' || status !== CLIENT_GONE) return facts
  return { ...facts, outcome: 'cancelled' }
}
