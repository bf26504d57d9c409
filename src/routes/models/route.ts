import type { FastifyPluginAsync } from 'fastify'
import { assertServed, type ModelCard } from './model-card.ts'

/** GET /v1/models and /v1/models/{id}: the one model of this server. `max_model_len` is vLLM's. */
export const modelsRoute: FastifyPluginAsync<{ readonly card: ModelCard }> = async (app, { card }) => {
  app.get('/v1/models', async () => ({ object: 'list', data: [toModel(card)] }))

  // A wildcard, because names such as `owner/model` are sent with and without their slash escaped.
  app.get<{ Params: { '*': string } }>('/v1/models/*', async request => {
    assertServed(card, request.params['*'])
    return toModel(card)
  })
}

function toModel(card: ModelCard) {
  return { id: card.servedModelName, object: 'model', created: card.created, owned_by: 'everstream', max_model_len: card.contextLength }
}
