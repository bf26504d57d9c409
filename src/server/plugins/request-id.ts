import type { FastifyInstance } from 'fastify'

/** Every answer says which request it answers, and in which version of OpenAI's API it speaks. */
export function addResponseIds(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
    reply.header('openai-version', '2020-10-01')
  })
}
