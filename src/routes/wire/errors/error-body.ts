import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { Failure } from '../../../inference/contract/errors.ts'
import { ERROR_TABLE } from './error-table.ts'

/** OpenAI's error object: all four keys are always present. */
export const ErrorSchema = z
  .strictObject({
    error: z.strictObject({
      message: z.string().describe('A description of the error, for people.'),
      type: z.string().describe('The category of the error.'),
      param: z.string().nullable().describe('The field that caused the error; null if no single field did.'),
      code: z.string().nullable().describe('The error code; null for plain validation errors.')
    })
  })
  .meta({ id: 'Error', description: 'An error.' })
export type ErrorBody = Readonly<z.output<typeof ErrorSchema>>

export function toErrorBody(failure: Failure): ErrorBody {
  const { openaiType, openaiCode } = ERROR_TABLE[failure.code]
  return errorBody(failure.message, openaiType, openaiCode, failure.param)
}

/** The response to an error that is a bug in the server; the details go to the log only. */
export const INTERNAL_ERROR: ErrorBody = errorBody(
  'The server had an error while processing your request.',
  'server_error',
  'internal_error'
)

export function errorBody(message: string, type: string, code: string | null, param: string | null = null): ErrorBody {
  return { error: { message, type, param, code } }
}

/** Responds with a failure: status, error object, and the headers by which clients decide whether to retry. */
export function sendFailure(reply: FastifyReply, failure: Failure): FastifyReply {
  const { http, retry, retryAfterSeconds } = ERROR_TABLE[failure.code]
  reply.code(http).header('x-should-retry', String(retry))
  if (retryAfterSeconds !== null) reply.header('retry-after', String(retryAfterSeconds))
  if (http === 401) reply.header('www-authenticate', 'Bearer')
  return reply.send(toErrorBody(failure))
}
