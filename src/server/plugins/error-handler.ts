import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ServiceError } from '../../inference/contract/errors.ts'
import { LIMITS } from '../../inference/contract/limits.ts'
import { errorBody, INTERNAL_ERROR, sendFailure } from '../../routes/wire/errors/error-body.ts'
import { errorCode } from '../error-facts.ts'

/** Turns every error into OpenAI's error object. Unexpected errors are logged; the client gets a generic message. */
export function answerErrors(app: FastifyInstance): void {
  app.setErrorHandler(answerError)
}

export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (error instanceof ServiceError) {
    if (error.cause !== undefined) request.log.warn({ err: error.cause, code: error.code }, 'request failed')
    return sendFailure(reply, error.toFailure())
  }
  const known = isFastifyError(error) ? FASTIFY_ERRORS[error.code] : undefined
  if (known !== undefined) return known(reply)
  if (isFastifyError(error) && error.statusCode !== undefined && error.statusCode < 500) {
    return reply.code(error.statusCode).send(errorBody('The request is not valid.', 'invalid_request_error', null))
  }
  if (reply.raw.destroyed && isFastifyError(error) && error.code === 'ERR_STREAM_PREMATURE_CLOSE') {
    // The client disconnected before the first byte of a response that Fastify writes from a stream.
    return sendFailure(reply, { code: 'cancelled', message: 'The client closed the connection.', param: null })
  }
  request.log.error({ err: error }, 'unhandled error')
  // Clients retry a 500 automatically unless this header forbids it, and the effect of repeating a bug is unknown.
  return reply.code(500).header('x-should-retry', 'false').send(INTERNAL_ERROR)
}

/** Errors of Fastify itself. Its messages are not passed on: those of the JSON parser may quote the body. */
const FASTIFY_ERRORS: Readonly<Record<string, (reply: FastifyReply) => FastifyReply>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: reply =>
    sendFailure(reply, {
      code: 'body_too_large',
      message: `The request body is too large. Expected at most ${LIMITS.bodyBytes} bytes.`,
      param: null
    }),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: reply =>
    reply
      .code(415)
      .send(
        errorBody(
          `Unsupported media type. Expected the header 'Content-Type: application/json'.`,
          'invalid_request_error',
          'unsupported_media_type'
        )
      ),
  FST_ERR_CTP_INVALID_JSON_BODY: badJson,
  FST_ERR_CTP_EMPTY_JSON_BODY: badJson,
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: badJson
}

function badJson(reply: FastifyReply): FastifyReply {
  return sendFailure(reply, {
    code: 'invalid_request',
    message: 'We could not parse the JSON body of your request. The OpenAI API expects a JSON payload.',
    param: null
  })
}

function isFastifyError(error: unknown): error is FastifyError {
  return errorCode(error) !== null
}
