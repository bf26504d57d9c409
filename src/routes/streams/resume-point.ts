import type { FastifyRequest } from 'fastify'
import { readCount } from '../wire/request/request-options.ts'

/** The position at which a client resumes a stream. */
export interface ResumePoint {
  /** The parameter or header that contained it. */
  readonly field: 'starting_after' | 'Last-Event-ID'
  /** Ordinal of the last event that the client has received; 0 for none. */
  readonly afterOrdinal: number
}

/**
 * Reads `?starting_after=N`, else the header `Last-Event-ID`.
 *
 * @throws {ServiceError} `invalid_request`, naming the field, its bound and its value
 */
export function resumePoint(request: FastifyRequest, startingAfter: string | undefined): ResumePoint {
  const field = startingAfter === undefined ? 'Last-Event-ID' : 'starting_after'
  const value = startingAfter ?? request.headers['last-event-id']
  return { field, afterOrdinal: value === undefined ? 0 : readCount(field, String(value), 0, Number.MAX_SAFE_INTEGER) }
}
