import type { FastifyPluginAsync } from 'fastify'
import type { GenerationRequest } from '../../inference/contract/request.ts'
import type { TextPort } from '../../inference/contract/text-port.ts'
import { chatReader } from '../chat/reader.ts'
import { completionReader } from '../completions/reader.ts'
import type { ModelCard } from '../models/model-card.ts'
import { zodValidator } from '../wire/fields/zod-validator.ts'
import type { RequestBody } from '../wire/request/admission.ts'
import type { BodyReader } from '../wire/request/body-reader.ts'
import { clientGone } from '../wire/request/client-gone.ts'
import { newId, newSeed } from '../wire/request/ids.ts'
import { ignoredFields, reportIgnored } from '../wire/request/ignored-params.ts'

export interface RenderRouteOptions {
  readonly text: TextPort
  readonly card: ModelCard
  readonly strictParams: boolean
  /** Unix milliseconds. */
  readonly clock: () => number
}

/**
 * POST /v1/completions/render and /v1/chat/completions/render: the same bodies, the same refusals, and instead of an
 * answer the very ids, and their text, that the model would be prompted with.
 */
export const renderRoute: FastifyPluginAsync<RenderRouteOptions> = async (app, { text, card, strictParams, clock }) => {
  render(completionReader)
  render(chatReader)

  function render<Body extends RequestBody>({ path, schema, idPrefix, read }: BodyReader<Body>): void {
    app.post(`${path}/render`, { schema: { body: schema }, validatorCompiler: zodValidator }, async (request, reply) => {
      // What the validator made of it: Fastify's types do not follow a schema that is a type parameter.
      const body = request.body as Body
      reportIgnored(reply, ignoredFields(body, schema.shape), strictParams)
      const signal = clientGone(reply)
      const warn = (message: string) => request.log.warn(message)
      const admission = { text, card, newSeed, id: newId(idPrefix), admittedAtMs: clock(), callerSalt: '', warn, signal }
      return await rendered((await read(body, admission)).generation, signal)
    })
  }

  async function rendered({ prompts }: GenerationRequest, signal: AbortSignal) {
    const texts = await Promise.all(prompts.map(({ tokenIds }) => text.decode(tokenIds, { skipSpecialTokens: false, signal })))
    return {
      object: 'list',
      model: card.servedModelName,
      data: prompts.map(({ tokenIds }, index) => ({ index, prompt: texts[index], token_ids: tokenIds, count: tokenIds.length })),
      max_model_len: card.contextLength
    }
  }
}
