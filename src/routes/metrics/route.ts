import type { FastifyPluginAsync } from 'fastify'

export interface MetricsRouteOptions {
  /** The figures of this moment, in the text format of Prometheus. */
  readonly exposition: () => Promise<{ readonly contentType: string; readonly body: string }>
}

/** GET /metrics, for Prometheus. */
export const metricsRoute: FastifyPluginAsync<MetricsRouteOptions> = async (app, { exposition }) => {
  app.get('/metrics', async (_request, reply) => {
    const { contentType, body } = await exposition()
    return reply.header('content-type', contentType).header('cache-control', 'no-store').send(body)
  })
}
