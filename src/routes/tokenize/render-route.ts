import type { FastifyPluginAsync } from 'fastify'
import type { GenerationRequest } from '../../inference/contract/request.ts'
import type { TextPort } from '../../inference/contract/text-port.ts'
import { admitChat } from '../chat/admit.ts'
import { ChatBody } from '../chat/body.ts'
import { admit } from '../completions/admit.ts'
import { CompletionBody } from '../completions/body.ts'
import type { ModelCard } from '../models/model-card.ts'
import { clientGone } from '../wire/client-gone.ts'
import { newId, newSeed } from '../wire/ids.ts'
import { ignoredFields, reportIgnored } from '../wire/ignored-params.ts'
import { type ZodTypes, zodValidator } from '../wire/zod-validator.ts'

export interface RenderRouteOptions {
  readonly text: TextPort
  readonly card: ModelCard
  readonly strictParams: boolean
  /** Unix milliseconds. */
  readonly clock: () => number
}

/**
 * POST /v1/completions/render and /v1/chat/completions/render: the same bodies, the same refusals, and instead of an answer the
 * very ids, and their text, that the model would be prompted with.
 */
export const renderRoute: FastifyPluginAsync<RenderRouteOptions> = async (app, { text, card, strictParams, clock }) => {
  const admission = (prefix: 'cmpl-' | 'chatcmpl-') => ({ text, card, newSeed, id: newId(prefix), admittedAtMs: clock(), callerSalt: '' })

  async function rendered({ prompts }: GenerationRequest, signal: AbortSignal) {
    const texts = await Promise.all(prompts.map(({ tokenIds }) => text.decode(tokenIds, { skipSpecialTokens: false, signal })))
    return {
      object: 'list',
      model: card.servedModelName,
      data: prompts.map(({ tokenIds }, index) => ({ index, prompt: texts[index], token_ids: tokenIds, count: tokenIds.length })),
      max_model_len: card.contextLength
    }
  }

  app
    .withTypeProvider<ZodTypes>()
    .post('/v1/completions/render', { schema: { body: CompletionBody }, validatorCompiler: zodValidator }, async ({ body }, reply) => {
      reportIgnored(reply, ignoredFields(body, CompletionBody.shape), strictParams)
      const signal = clientGone(reply)
      return await rendered(await admit(body, { ...admission('cmpl-'), signal }), signal)
    })

  app
    .withTypeProvider<ZodTypes>()
    .post('/v1/chat/completions/render', { schema: { body: ChatBody }, validatorCompiler: zodValidator }, async ({ body }, reply) => {
      reportIgnored(reply, ignoredFields(body, ChatBody.shape), strictParams)
      const signal = clientGone(reply)
      return await rendered(await admitChat(body, { ...admission('chatcmpl-'), signal }), signal)
    })
}
