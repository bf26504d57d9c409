import type { FastifyRequest } from 'fastify'
import { readCount } from '../wire/request-terms.ts'

/**
 * The ordinal that a reader has seen already, 0 for none: `?starting_after=N`, or else the header `Last-Event-ID`.
 *
 * @throws {ServiceError} `invalid_request`, naming the field, its bound and its value
 */
export function resumePoint(request: FastifyRequest, startingAfter: string | undefined): number {
  const header = request.headers['last-event-id']
  if (startingAfter !== undefined) return readCount('starting_after', startingAfter, 0, Number.MAX_SAFE_INTEGER)
  return header === undefined ? 0 : readCount('Last-Event-ID', String(header), 0, Number.MAX_SAFE_INTEGER)
}
