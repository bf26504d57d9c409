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
import { admitChat } from './admit.ts'
import { ChatBody } from './body.ts'
import { chatDialect } from './dialect.ts'
import { toChatView } from './view.ts'

export interface ChatRouteOptions extends GenerationHouse {
  readonly text: TextPort
  readonly card: ModelCard
  /** Refuse unknown fields instead of naming them in `x-ignored-params`. */
  readonly strictParams: boolean
  /** A name for whoever sent the request, that is not their key: callers share no cached prefixes. */
  readonly callerOf: (request: FastifyRequest) => string
}

/** POST /v1/chat/completions: a conversation in, its next message out, whole or as a stream, now or in the background. */
export const chatRoute: FastifyPluginAsync<ChatRouteOptions> = async (app, options) => {
  const { text, card, clock, strictParams, callerOf } = options

  app
    .withTypeProvider<ZodTypes>()
    .post('/v1/chat/completions', { schema: { body: ChatBody }, validatorCompiler: zodValidator }, async (request, reply) => {
      const { body } = request
      const gone = clientGone(reply)
      const admittedAtMs = clock()
      reportIgnored(reply, ignoredFields(body, ChatBody.shape), strictParams)
      if (body.request_id !== null) reply.header(CLIENT_REQUEST_ID, body.request_id)
      const terms = readTerms(request, body.background, admittedAtMs)

      const id = newId('chatcmpl-')
      const generation = await admitChat(body, { text, card, newSeed, id, admittedAtMs, callerSalt: callerOf(request), signal: gone })
      const presentation = { dialect: chatDialect.name, view: toChatView(body, generation, card, text.facts.chat) }
      const asked = { generation, terms, presentation, stream: body.stream, servedModelName: card.servedModelName, gone }
      return await serveGeneration(request, reply, asked, options)
    })
}
