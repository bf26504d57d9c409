import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { PROBE_URLS } from '../../routes/health/route.ts'
import { CLIENT_REQUEST_ID } from '../../routes/wire/request/generation-route.ts'
import type { AccessLog, RequestFacts } from '../../routes/wire/request/request-stats.ts'

/** Nginx's status for a client that closed the connection before the response; never sent. */
const CLIENT_GONE = 499

/**
 * Logs one line for each request when its response has ended, completed or aborted; probes at debug. The line never
 * contains a prompt, generated text, a key or a query string.
 */
export function logRequests(app: FastifyInstance, clock: () => number): AccessLog {
  const facts = new WeakMap<FastifyRequest, () => RequestFacts>()
  app.addHook('onRequest', async (request, reply) => {
    const startedAtMs = clock()
    reply.raw.once('close', () => {
      const status = finalStatus(reply)
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

/** The status of a response that has ended. */
export function finalStatus({ raw }: FastifyReply): number {
  return raw.writableEnded ? raw.statusCode : CLIENT_GONE
}

/** A disconnect cancels a plain request; the queue reports that only after the last reader is gone. */
function outcomeAt(status: number, facts: RequestFacts | undefined): RequestFacts | undefined {
  if (facts === undefined || facts.outcome !== null || facts.onDisconnect !== 'cancel' || status !== CLIENT_GONE) return facts
  return { ...facts, outcome: 'cancelled' }
}
