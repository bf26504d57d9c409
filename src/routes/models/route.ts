import type { FastifyPluginAsync } from 'fastify'
import { ServiceError } from '../../inference/contract/errors.ts'
import type { ModelCard } from './model-card.ts'

/** GET /v1/models and /v1/models/{id}: the one model of this server. `max_model_len` is vLLM's. */
export const modelsRoute: FastifyPluginAsync<{ readonly card: ModelCard }> = async (app, { card }) => {
  app.get('/v1/models', async () => ({ object: 'list', data: [toModel(card)] }))

  // A wildcard, because names such as `owner/model` are sent with and without their slash escaped.
  app.get<{ Params: { '*': string } }>('/v1/models/*', async request => {
    assertServed(card, request.params['*'])
    return toModel(card)
  })
}

/** @throws {ServiceError} `model_not_found` for every name but the served one */
export function assertServed(card: ModelCard, name: string): void {
  if (name === card.servedModelName) return
  throw new ServiceError('model_not_found', `The model \`${name.slice(0, 256)}\` does not exist or you do not have access to it.`)
}

function toModel(card: ModelCard) {
  return { id: card.servedModelName, object: 'model', created: card.created, owned_by: 'everstream', max_model_len: card.contextLength }
}
