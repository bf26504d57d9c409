import { z } from 'zod'
import { ServiceError } from '../../../inference/contract/errors.ts'
import { invariant } from '../../../inference/contract/invariant.ts'
import { fieldName, issueMessage } from './issue-message.ts'

export type { ZodTypeProvider as ZodTypes } from 'fastify-type-provider-zod'

/**
 * For what does not come through a route's own validation.
 *
 * @throws {ServiceError} `invalid_request`, for the first mistake
 */
export function parseWith<Schema extends z.ZodType>(schema: Schema, data: unknown): z.output<Schema> {
  const result = schema.safeParse(data, { reportInput: true })
  if (!result.success) throw toServiceError(result.error)
  return result.data
}

/**
 * Checks a part of a request against its zod schema; the first mistake becomes an `invalid_request` that names field,
 * bound and value.
 */
export function zodValidator({ schema }: { readonly schema: unknown }) {
  invariant(schema instanceof z.ZodType, 'a route is declared with a zod schema')
  return (data: unknown) => {
    const result = schema.safeParse(data, { reportInput: true })
    return result.success ? { value: result.data } : { error: toServiceError(result.error) }
  }
}

function toServiceError(error: z.ZodError): ServiceError {
  const [issue] = error.issues
  if (issue === undefined) return new ServiceError('invalid_request', 'The request is not valid.', { cause: error })
  const param = fieldName(issue.path)
  return new ServiceError('invalid_request', issueMessage(issue), param === '' ? {} : { param })
}
