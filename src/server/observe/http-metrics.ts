import type { FastifyInstance } from 'fastify'
import { Counter, type Registry } from 'prom-client'
import { ServiceError } from '../../inference/contract/errors.ts'
import { answerStatus } from '../answer-status.ts'

/**
 * Answers by route and status, and what requests were refused for. Routes are those declared, whatever clients ask for.
 */
export class HttpMetrics {
  readonly #responses: Counter<'route' | 'status'>
  readonly #refusals: Counter<'code'>

  constructor(registry: Registry) {
    const registers = [registry]
    this.#responses = new Counter({
      name: 'everstream_http_responses_total',
      help: 'Answers, by declared route and status; 499 where the client went before.',
      labelNames: ['route', 'status'],
      registers
    })
    this.#refusals = new Counter({
      name: 'everstream_refusals_total',
      help: 'Requests that were refused before they were admitted, by the code of the error.',
      labelNames: ['code'],
      registers
    })
  }

  watch(app: FastifyInstance): void {
    app.addHook('onRequest', async (request, reply) => {
      reply.raw.once('close', () => {
        this.#responses.inc({ route: request.routeOptions.url ?? 'none', status: answerStatus(reply) })
      })
    })
    app.addHook('onError', async (_request, reply, error: unknown) => {
      // An admitted request has an id, and its end is counted with the requests.
      if (!reply.hasHeader('x-stream-id')) this.#refusals.inc({ code: error instanceof ServiceError ? error.code : 'other' })
    })
  }
}
