import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { TextPort } from '../../../inference/contract/text-port.ts'
import type { ModelCard } from '../../models/model-card.ts'
import { zodValidator } from '../fields/zod-validator.ts'
import type { RequestBody } from './admission.ts'
import type { BodyReader } from './body-reader.ts'
import { clientGone } from './client-gone.ts'
import { CLIENT_REQUEST_ID } from './client-request-id.ts'
import { newId, newSeed } from './ids.ts'
import { ignoredFields, reportIgnored } from './ignored-params.ts'
import { readRequestOptions } from './request-options.ts'
import { type GenerationParts, serveGeneration } from './serve-generation.ts'

export interface GenerationRouteOptions extends GenerationParts {
  readonly text: TextPort
  readonly card: ModelCard
  /** Refuse unknown fields instead of naming them in `x-ignored-params`. */
  readonly strictParams: boolean
  /** A name for whoever sent the request, that is not their key: callers share no cached prefixes. */
  readonly callerOf: (request: FastifyRequest) => string
}

/** POST to where a dialect answers: a body in, its answer out, whole or as a stream, now or in the background. */
export function generationRoute<Body extends RequestBody>(reader: BodyReader<Body>): FastifyPluginAsync<GenerationRouteOptions> {
  const { path, schema, idPrefix } = reader
  return async (app, options) => {
    const { text, card, clock, strictParams, callerOf } = options

    app.post(path, { schema: { body: schema }, validatorCompiler: zodValidator }, async (request, reply) => {
      // What the validator made of it: Fastify's types do not follow a schema that is a type parameter.
      const body = request.body as Body
      const gone = clientGone(reply)
      const admittedAtMs = clock()
      reportIgnored(reply, ignoredFields(body, schema.shape), strictParams)
      if (body.request_id !== null) reply.header(CLIENT_REQUEST_ID, body.request_id)
      const requestOptions = readRequestOptions(request, body.background, admittedAtMs)

      const read = await reader.read(body, {
        text,
        card,
        newSeed,
        id: newId(idPrefix),
        admittedAtMs,
        callerSalt: callerOf(request),
        warn: message => request.log.warn(message),
        signal: gone
      })
      return await serveGeneration(
        request,
        reply,
        { ...read, options: requestOptions, stream: body.stream, servedModelName: card.servedModelName, gone },
        options
      )
    })
  }
}
