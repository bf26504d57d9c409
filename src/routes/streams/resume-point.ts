import type { FastifyRequest } from 'fastify'
import { readCount } from '../wire/request/request-options.ts'

/** Where a reader goes on, and what it said so with. */
export interface ResumePoint {
  readonly field: 'starting_after' | 'Last-Event-ID'
  /** Of the last event that it has read; 0 for none. */
  readonly afterOrdinal: number
}

/**
 * `?starting_after=N`, or else the header `Last-Event-ID`.
 *
 * @throws {ServiceError} `invalid_request`, naming the field, its bound and its value
 */
export function resumePoint(request: FastifyRequest, startingAfter: string | undefined): ResumePoint {
  const field = startingAfter === undefined ? 'Last-Event-ID' : 'starting_after'
  const value = startingAfter ?? request.headers['last-event-id']
  return { field, afterOrdinal: value === undefined ? 0 : readCount(field, String(value), 0, Number.MAX_SAFE_INTEGER) }
}
