import type { FastifyPluginAsync, FastifyReply } from 'fastify'
import type { Status } from './status.ts'

/** As the router declares them. Probes come all the time, and without a key. */
export const PROBE_URLS: ReadonlySet<string> = new Set(['/health', '/ready'])

/** GET /health (is it alive?) and GET /ready (may work be sent here?): 200 or 503. */
export const healthRoute: FastifyPluginAsync<{ readonly status: Status }> = async (app, { status }) => {
  app.get('/health', async (_request, reply) => answer(reply, status.isHealthy(), status, ['ok', 'unhealthy']))
  app.get('/ready', async (_request, reply) => answer(reply, status.isReady(), status, ['ready', 'not ready']))
}

async function answer(reply: FastifyReply, good: boolean, status: Status, words: readonly [good: string, bad: string]) {
  return reply
    .code(good ? 200 : 503)
    .header('cache-control', 'no-store')
    .send({ ...(await status.detail()), status: good ? words[0] : words[1] })
}
