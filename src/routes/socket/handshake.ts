import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { ServiceError } from '../../inference/contract/errors.ts'

export const SOCKET_URL = '/v1/completions'
export const SOCKET_VERSION = 13

const SOCKET_TARGET = new RegExp(`^${SOCKET_URL}/?(?:\\?|$)`)
/** RFC 6455 section 4.1: 16 bytes in base64. */
const KEY = /^[+/0-9A-Za-z]{22}==$/

/** Whether an upgrade is a WebSocket request for `SOCKET_URL`. Others are ignored, as RFC 9110 section 7.8 allows. */
export function asksForSocket({ method, url = '', headers }: IncomingMessage): boolean {
  const protocols = (headers.upgrade ?? '').toLowerCase().split(',')
  return method === 'GET' && SOCKET_TARGET.test(url) && protocols.some(protocol => protocol.trim() === 'websocket')
}

/** @throws {ServiceError} `invalid_request`, for a key that is missing or invalid */
export function assertSocketKey(headers: IncomingHttpHeaders): void {
  if (KEY.test(headers['sec-websocket-key'] ?? '')) return
  throw new ServiceError('invalid_request', `Invalid 'Sec-WebSocket-Key' header: expected 16 bytes in base64.`)
}

/**
 * Browsers let any page open a WebSocket to any host, and send the origin of the page: only pages of this server's host
 * are accepted. Programs send no origin.
 *
 * @throws {ServiceError} `forbidden`
 */
export function assertOwnOrigin(origin: string | undefined, host: string | undefined): void {
  if (origin === undefined) return
  if (URL.canParse(origin) && new URL(origin).host === host?.toLowerCase()) return
  throw new ServiceError('forbidden', 'WebSocket connections from pages of another origin are not allowed.')
}
