import type { FastifyInstance } from 'fastify'
import { ServiceError } from '../../inference/contract/errors.ts'

/**
 * While the server drains it takes no new work, before any body is read; what runs goes on, and can still be read,
 * resumed and cancelled.
 */
export function refuseWhileDraining(app: FastifyInstance, isDraining: () => boolean): void {
  app.addHook('onRequest', async (request, reply) => {
    if (request.method !== 'POST' || !isDraining()) return
    reply.header('connection', 'close')
    throw new ServiceError('unavailable', 'The server is shutting down. Please try again.')
  })
}
