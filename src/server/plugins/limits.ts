import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyHttpOptions, FastifyInstance } from 'fastify'
import { ServiceError } from '../../inference/contract/errors.ts'
import { LIMITS } from '../../inference/contract/limits.ts'
import { errorBody } from '../../routes/wire/error-body.ts'
import { jsonFault } from '../../routes/wire/json-bounds.ts'

const SECOND_MS = 1000

/** Node's own bounds are loose (a slow body may take 300 s). Streams are not bounded by these: they end where the answer ends. */
export const HTTP_LIMITS = {
  bodyLimit: LIMITS.bodyBytes,
  /** The whole request, body included, has to be there by then. */
  requestTimeout: 30 * SECOND_MS,
  /** Longer than the idle time of usual proxies, so that they close first. */
  keepAliveTimeout: 75 * SECOND_MS,
  maxRequestsPerSocket: 10_000,
  http: {
    headersTimeout: 10 * SECOND_MS,
    connectionsCheckingInterval: 5 * SECOND_MS,
    maxHeaderSize: 16 * 1024
  }
} as const satisfies FastifyHttpOptions<Server>

const MAX_CONNECTIONS = 10_000

/** What the options above cannot say: JSON only, of bounded depth, not compressed, and not from everybody at once. */
export function limitRequests(app: FastifyInstance): void {
  app.server.maxConnections = MAX_CONNECTIONS
  app.removeContentTypeParser('text/plain')
  const parseJson = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    const fault = jsonFault(body)
    if (fault === null) void parseJson(request, body, done)
    else done(new ServiceError('invalid_request', `Invalid request body: ${fault}.`))
  })
  app.addHook('onRequest', async (request, reply) => {
    const encoding = request.headers['content-encoding'] ?? 'identity'
    if (encoding === 'identity') return
    return reply
      .code(415)
      .send(errorBody('Compressed request bodies are not supported.', 'invalid_request_error', 'unsupported_media_type'))
  })
}

/** Answers to what never became a request: Node's parser gave up on the bytes. */
export function answerBrokenRequest(error: Error & { readonly code?: string }, socket: Socket): void {
  if (socket.destroyed || !socket.writable || error.code === 'ECONNRESET') {
    socket.destroy(error)
    return
  }
  const [status, message] = BROKEN[error.code ?? ''] ?? (['400 Bad Request', 'The request is not valid HTTP.'] as const)
  const body = JSON.stringify(errorBody(message, 'invalid_request_error', null))
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
  )
}

const BROKEN: Readonly<Record<string, readonly [status: string, message: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'The request took too long to arrive.'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'The request headers are too large.']
}
