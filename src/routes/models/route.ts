import type { FastifyPluginAsync } from 'fastify'
import type { TextFacts, TextPort } from '../../inference/contract/text-port.ts'
import { assertServed, type ModelCard } from './model-card.ts'
import type { Model, ModelList } from './schema.ts'

export interface ModelsRouteOptions {
  readonly card: ModelCard
  readonly text: Pick<TextPort, 'facts'>
}

/** GET /v1/models and /v1/models/{id}. `max_model_len` is vLLM's field; `capabilities` is specific to this server. */
export const modelsRoute: FastifyPluginAsync<ModelsRouteOptions> = async (app, { card, text }) => {
  app.get('/v1/models', async (): Promise<ModelList> => ({ object: 'list', data: [toModel(card, text.facts)] }))

  // A wildcard, because clients send names such as `owner/model` with and without an escaped slash.
  app.get<{ Params: { '*': string } }>('/v1/models/*', async request => {
    assertServed(card, request.params['*'])
    return toModel(card, text.facts)
  })
}

function toModel(card: ModelCard, { chat, fillInTheMiddle }: TextFacts): Model {
  return {
    id: card.servedModelName,
    object: 'model',
    created: card.created,
    owned_by: 'everstream',
    max_model_len: card.contextLength,
    capabilities: {
      completions: true,
      chat: chat !== null,
      tools: chat !== null && chat.toolCalls !== null,
      suffix: fillInTheMiddle !== null
    }
  }
}
