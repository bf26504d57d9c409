import type { FastifyPluginAsync } from 'fastify'

export interface MetricsRouteOptions {
  /** The current metrics in the Prometheus text format. */
  readonly exposition: () => Promise<{ readonly contentType: string; readonly body: string }>
}

/** GET /metrics. */
export const metricsRoute: FastifyPluginAsync<MetricsRouteOptions> = async (app, { exposition }) => {
  app.get('/metrics', async (_request, reply) => {
    const { contentType, body } = await exposition()
    return reply.header('content-type', contentType).header('cache-control', 'no-store').send(body)
  })
}
