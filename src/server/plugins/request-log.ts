import type { FastifyInstance, FastifyRequest } from 'fastify'
import { PROBE_URLS } from '../../routes/health/route.ts'
import { CLIENT_REQUEST_ID } from '../../routes/wire/request/generation-route.ts'
import type { AccessLog, RequestFacts } from '../../routes/wire/request/request-stats.ts'
import { answerStatus, CLIENT_GONE } from '../answer-status.ts'

/**
 * One line for each request when its answer is over, however it ends: written, streamed, broken or left; probes at
 * debug. It says who, what and how long; never a prompt, an answer, a key or a query.
 */
export function logRequests(app: FastifyInstance, clock: () => number): AccessLog {
  const facts = new WeakMap<FastifyRequest, () => RequestFacts>()
  app.addHook('onRequest', async (request, reply) => {
    const startedAtMs = clock()
    reply.raw.once('close', () => {
      const status = answerStatus(reply)
      const line = {
        method: request.method,
        route: request.routeOptions.url ?? null,
        status,
        durationMs: Math.round(clock() - startedAtMs),
        clientRequestId: reply.getHeader(CLIENT_REQUEST_ID),
        ...outcomeAt(status, facts.get(request)?.())
      }
      if (PROBE_URLS.has(request.routeOptions.url ?? '')) request.log.debug(line, 'request')
      else request.log.info(line, 'request')
    })
  })
  return { attach: (request, read) => void facts.set(request, read) }
}

/** Who leaves a plain request cancels it: the queue says so only after nobody reads any more. */
function outcomeAt(status: number, facts: RequestFacts | undefined): RequestFacts | undefined {
  if (facts === undefined || facts.outcome !== null || facts.onDisconnect !== 'cancel' || status !== CLIENT_GONE) return facts
  return { ...facts, outcome: 'cancelled' }
}
