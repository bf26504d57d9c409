import type { FastifyInstance } from 'fastify'
import { Counter, type Registry } from 'prom-client'
import { ServiceError } from '../../inference/contract/errors.ts'
import { finalStatus } from '../plugins/request-log.ts'

/** Counts responses by declared route and status, and refused requests by error code. */
export class HttpMetrics {
  readonly #responses: Counter<'route' | 'status'>
  readonly #refusals: Counter<'code'>

  constructor(registry: Registry) {
    const registers = [registry]
    this.#responses = new Counter({
      name: 'everstream_http_responses_total',
      help: 'HTTP responses by declared route and status; 499 if the client disconnected first.',
      labelNames: ['route', 'status'],
      registers
    })
    this.#refusals = new Counter({
      name: 'everstream_refusals_total',
      help: 'Requests refused before admission, by error code.',
      labelNames: ['code'],
      registers
    })
  }

  watch(app: FastifyInstance): void {
    app.addHook('onRequest', async (request, reply) => {
      reply.raw.once('close', () => {
        this.#responses.inc({ route: request.routeOptions.url ?? 'none', status: finalStatus(reply) })
      })
    })
    app.addHook('onError', async (_request, reply, error: unknown) => {
      // An admitted request has an id; its end is counted in RequestMetrics.
      if (!reply.hasHeader('x-stream-id')) this.#refusals.inc({ code: error instanceof ServiceError ? error.code : 'other' })
    })
  }
}
