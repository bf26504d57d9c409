import { z } from 'zod'
import { ServiceError } from '../../../inference/contract/errors.ts'
import { invariant } from '../../../inference/contract/invariant.ts'
import { fieldName, issueMessage } from './issue-message.ts'

export type { ZodTypeProvider as ZodTypes } from 'fastify-type-provider-zod'

/**
 * Parses data that Fastify does not validate.
 *
 * @throws {ServiceError} `invalid_request`, for the first issue
 */
export function parseWith<Schema extends z.ZodType>(schema: Schema, data: unknown): z.output<Schema> {
  const result = schema.safeParse(data, { reportInput: true })
  if (!result.success) throw fromZodError(result.error)
  return result.data
}

/**
 * Fastify validator compiler for zod schemas. The first issue becomes an `invalid_request` that names field, bound and
 * value.
 */
export function zodValidator({ schema }: { readonly schema: unknown }) {
  invariant(schema instanceof z.ZodType, 'routes are declared with zod schemas')
  return (data: unknown) => {
    const result = schema.safeParse(data, { reportInput: true })
    return result.success ? { value: result.data } : { error: fromZodError(result.error) }
  }
}

function fromZodError(error: z.ZodError): ServiceError {
  const [issue] = error.issues
  if (issue === undefined) return new ServiceError('invalid_request', 'The request is not valid.', { cause: error })
  const param = fieldName(issue.path)
  return new ServiceError('invalid_request', issueMessage(issue), param === '' ? {} : { param })
}
