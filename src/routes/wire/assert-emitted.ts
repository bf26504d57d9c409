import { ServiceError } from '../../inference/contract/errors.ts'
import type { RequestSnapshot } from '../../queue/queue.ts'
import { invalid } from './fields/invalid.ts'

/**
 * Nobody has read what a running stream has not said. Behind the end of one that has ended there is just nothing more.
 *
 * @param field    what the client named the ordinal with
 * @throws {ServiceError} `invalid_request`; `unavailable` while the stream may yet get back what it had said
 */
export function assertEmitted(
  field: string,
  after: number,
  { last, end, mayGrowBack }: Pick<RequestSnapshot, 'last' | 'end' | 'mayGrowBack'>
): void {
  if (after <= last || end !== null) return
  if (mayGrowBack === true) throw new ServiceError('unavailable', 'What this stream had said is being written again. Please try again.')
  throw invalid(
    field,
    `Invalid '${field}': the stream has not come so far. Expected an integer from 0 to ${last}, but got ${after} instead.`
  )
}
