import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { TextPort } from '../../../inference/contract/text-port.ts'
import type { ModelCard } from '../../models/model-card.ts'
import { zodValidator } from '../fields/zod-validator.ts'
import type { GenerationApi } from '../generation-api.ts'
import type { RequestBody } from './admission.ts'
import { clientGone } from './client-gone.ts'
import { ignoredFields, reportIgnored } from './ignored-params.ts'
import { parseRequest } from './parse-request.ts'
import { readRequestOptions } from './request-options.ts'
import { type GenerationParts, serveGeneration } from './serve-generation.ts'

export interface GenerationRouteOptions extends GenerationParts {
  readonly text: TextPort
  readonly card: ModelCard
  /** Whether unknown fields are refused instead of listed in `x-ignored-params`. */
  readonly strictParams: boolean
  /** A name for the caller that is not their API key. Callers share no cached prefixes. */
  readonly callerOf: (request: FastifyRequest) => string
}

/** The response header that returns the client's own id of the request, `request_id` of its body. */
export const CLIENT_REQUEST_ID = 'x-client-request-id'

/** The POST route of an API. The response is a whole body, a stream, or the id of a request in the background. */
export function generationRoute(api: GenerationApi): FastifyPluginAsync<GenerationRouteOptions> {
  const { path, schema } = api
  return async (app, options) => {
    const { text, card, clock, strictParams, callerOf } = options

    app.post(path, { schema: { body: schema }, validatorCompiler: zodValidator }, async (request, reply) => {
      // Output of the validator: Fastify's types do not follow a schema that is a variable.
      const body = request.body as RequestBody
      const gone = clientGone(reply)
      const admittedAtMs = clock()
      reportIgnored(reply, ignoredFields(body, schema.shape), strictParams)
      if (body.request_id !== null) reply.header(CLIENT_REQUEST_ID, body.request_id)
      const requestOptions = readRequestOptions(request, body.background, admittedAtMs)

      const parsed = await parseRequest(api, body, {
        text,
        card,
        admittedAtMs,
        callerSalt: callerOf(request),
        warn: message => request.log.warn(message),
        signal: gone
      })
      const { stream } = body
      return await serveGeneration(
        request,
        reply,
        { ...parsed, options: requestOptions, stream, servedModelName: card.servedModelName, gone },
        options
      )
    })
  }
}
