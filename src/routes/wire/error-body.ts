import type { FastifyReply } from 'fastify'
import type { Failure } from '../../inference/contract/errors.ts'
import { ERROR_TABLE } from './error-table.ts'

/** OpenAI's envelope: all four keys are always there. */
export interface ErrorBody {
  readonly error: {
    readonly message: string
    readonly type: string
    readonly param: string | null
    readonly code: string | null
  }
}

export function toErrorBody(failure: Failure): ErrorBody {
  const { openaiType, openaiCode } = ERROR_TABLE[failure.code]
  return errorBody(failure.message, openaiType, openaiCode, failure.param)
}

/** What a client learns of our own bugs. */
export const INTERNAL_ERROR: ErrorBody = errorBody(
  'The server had an error while processing your request.',
  'server_error',
  'internal_error'
)

export function errorBody(message: string, type: string, code: string | null, param: string | null = null): ErrorBody {
  return { error: { message, type, param, code } }
}

/** Answers with a failure: status, envelope, and what a client needs to decide whether to try again. */
export function sendFailure(reply: FastifyReply, failure: Failure): FastifyReply {
  const { http, retry, retryAfterSeconds } = ERROR_TABLE[failure.code]
  reply.code(http).header('x-should-retry', String(retry))
  if (retryAfterSeconds !== null) reply.header('retry-after', String(retryAfterSeconds))
  if (http === 401) reply.header('www-authenticate', 'Bearer')
  return reply.send(toErrorBody(failure))
}
