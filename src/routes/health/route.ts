import type { FastifyPluginAsync, FastifyReply } from 'fastify'
import type { Status } from './status.ts'

/** As the router declares them. Probes come all the time, and without a key. */
export const PROBE_URLS: ReadonlySet<string> = new Set(['/health', '/ready'])

/**
 * GET /health (does this process work?) and GET /ready (may work be sent here?): 200 or 503. A queue that cannot be
 * reached makes a server not ready, and leaves it healthy: a restart would not help, and would end streams that go on
 * when the queue is back.
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
