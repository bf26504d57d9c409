import { ServiceError } from '../../../inference/contract/errors.ts'
import type { RequestSnapshot } from '../../../queue/queue.ts'
import { invalid } from '../errors/service-errors.ts'

const MAX_SHOWN_CHARS = 64

/** Same error for a stream that does not exist and for one of another caller. */
export function streamNotFound(id: string, param?: string): ServiceError {
  const message = `There is no stream \`${id.slice(0, MAX_SHOWN_CHARS)}\`, or it ended too long ago.`
  return new ServiceError('not_found', message, param === undefined ? {} : { param })
}

/**
 * Refuses to resume a running stream after an event that it has not emitted yet. After the last event of a stream that
 * has ended there is nothing left to read, which is no error.
 *
 * @param field  the client's name for the ordinal
 * @throws {ServiceError} `invalid_request`; `unavailable` while events that were lost may be generated again
 */
export function assertEmitted(
  field: string,
  after: number,
  { last, end, mayGrowBack }: Pick<RequestSnapshot, 'last' | 'end' | 'mayGrowBack'>
): void {
  if (after <= last || end !== null) return
  if (mayGrowBack === true) throw new ServiceError('unavailable', 'Events of this stream are being restored. Please try again.')
  throw invalid(
    field,
    `Invalid '${field}': beyond the last event of the stream. Expected an integer from 0 to ${last}, but got ${after} instead.`
  )
}
