import type { FastifyPluginAsync, FastifyReply } from 'fastify'
import type { Status } from './status.ts'

/** Route URLs of the probes, which need no API key and are logged at debug level only. */
export const PROBE_URLS: ReadonlySet<string> = new Set(['/health', '/ready'])

/**
 * GET /health (liveness) and GET /ready (readiness): 200 or 503. While the queue is unreachable the server is not
 * ready, but healthy: a restart would not help, and would end streams that continue when the queue is reachable again.
 */
export const healthRoute: FastifyPluginAsync<{ readonly status: Status }> = async (app, { status }) => {
  app.get('/health', async (_request, reply) => {
    const isHealthy = status.isHealthy()
    return answer(reply, isHealthy, { ...status.detail(), status: isHealthy ? 'ok' : 'unhealthy' })
  })
  app.get('/ready', async (_request, reply) => {
    const depth = await status.depth()
    const isReady = status.isReady() && depth !== null
    const { waiting, running } = depth ?? { waiting: null, running: null }
    const queue = { waiting, running, queueReachable: depth !== null }
    return answer(reply, isReady, { ...status.detail(), ...queue, status: isReady ? 'ready' : 'not ready' })
  })
}

function answer(reply: FastifyReply, good: boolean, body: object) {
  return reply
    .code(good ? 200 : 503)
    .header('cache-control', 'no-store')
    .send(body)
}
