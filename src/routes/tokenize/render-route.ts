import type { FastifyPluginAsync } from 'fastify'
import type { GenerationRequest } from '../../inference/contract/request.ts'
import type { TextPort } from '../../inference/contract/text-port.ts'
import type { ModelCard } from '../models/model-card.ts'
import { zodValidator } from '../wire/fields/zod-validator.ts'
import type { GenerationApi } from '../wire/generation-api.ts'
import type { RequestBody } from '../wire/request/admission.ts'
import { clientGone } from '../wire/request/client-gone.ts'
import { ignoredFields, reportIgnored } from '../wire/request/ignored-params.ts'
import { parseRequest } from '../wire/request/parse-request.ts'
import type { Rendered } from './schema.ts'

export interface RenderRouteOptions {
  readonly apis: readonly GenerationApi[]
  readonly text: TextPort
  readonly card: ModelCard
  readonly strictParams: boolean
  /** Unix milliseconds. */
  readonly clock: () => number
}

/**
 * POST /v1/completions/render and /v1/chat/completions/render: accept the same bodies as the APIs, with the same
 * errors, and return the prompts of the model as token ids and text.
 */
export const renderRoute: FastifyPluginAsync<RenderRouteOptions> = async (app, { apis, text, card, strictParams, clock }) => {
  for (const api of apis) {
    const { path, schema } = api
    app.post(`${path}/render`, { schema: { body: schema }, validatorCompiler: zodValidator }, async (request, reply) => {
      // Output of the validator: Fastify's types do not follow a schema that is a variable.
      const body = request.body as RequestBody
      reportIgnored(reply, ignoredFields(body, schema.shape), strictParams)
      const signal = clientGone(reply)
      const warn = (message: string) => request.log.warn(message)
      const { generation } = await parseRequest(api, body, { text, card, admittedAtMs: clock(), callerSalt: '', warn, signal })
      return await render(generation, signal)
    })
  }

  async function render({ prompts }: GenerationRequest, signal: AbortSignal): Promise<Rendered> {
    const data = prompts.map(async ({ tokenIds }, index) => {
      const prompt = await text.decode(tokenIds, { skipSpecialTokens: false, signal })
      return { index, prompt, token_ids: tokenIds, count: tokenIds.length }
    })
    return { object: 'list', model: card.servedModelName, data: await Promise.all(data), max_model_len: card.contextLength }
  }
}
