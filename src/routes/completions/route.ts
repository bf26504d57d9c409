import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { TextPort } from '../../inference/contract/text-port.ts'
import type { ModelCard } from '../models/model-card.ts'
import { clientGone } from '../wire/client-gone.ts'
import { CLIENT_REQUEST_ID } from '../wire/client-request-id.ts'
import { newId, newSeed } from '../wire/ids.ts'
import { ignoredFields, reportIgnored } from '../wire/ignored-params.ts'
import { readTerms } from '../wire/request-terms.ts'
import { type GenerationHouse, serveGeneration } from '../wire/serve-generation.ts'
import { type ZodTypes, zodValidator } from '../wire/zod-validator.ts'
import { admit } from './admit.ts'
import { CompletionBody } from './body.ts'
import { completionDialect } from './dialect.ts'
import { toView } from './view.ts'

export interface CompletionRouteOptions extends GenerationHouse {
  readonly text: TextPort
  readonly card: ModelCard
  /** Refuse unknown fields instead of naming them in `x-ignored-params`. */
  readonly strictParams: boolean
  /** A name for whoever sent the request, that is not their key: callers share no cached prefixes. */
  readonly callerOf: (request: FastifyRequest) => string
}

/** POST /v1/completions: prompts in, texts out, whole or as a stream, now or in the background. */
export const completionRoute: FastifyPluginAsync<CompletionRouteOptions> = async (app, options) => {
  const { text, card, clock } = options

  app
    .withTypeProvider<ZodTypes>()
    .post('/v1/completions', { schema: { body: CompletionBody }, validatorCompiler: zodValidator }, async (request, reply) => {
      const { body } = request
      const gone = clientGone(reply)
      const admittedAtMs = clock()
      reportIgnored(reply, ignoredFields(body, CompletionBody.shape), options.strictParams)
      if (body.request_id !== null) reply.header(CLIENT_REQUEST_ID, body.request_id)
      const terms = readTerms(request, body.background, admittedAtMs)

      const id = newId('cmpl-')
      const generation = await admit(body, { text, card, newSeed, id, admittedAtMs, callerSalt: options.callerOf(request), signal: gone })
      const presentation = { dialect: completionDialect.name, view: toView(body, generation, card) }
      const asked = { generation, terms, presentation, stream: body.stream, servedModelName: card.servedModelName, gone }
      return await serveGeneration(request, reply, asked, options)
    })
}
