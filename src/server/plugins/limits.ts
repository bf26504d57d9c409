import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyHttpOptions, FastifyInstance } from 'fastify'
import { ServiceError } from '../../inference/contract/errors.ts'
import { LIMITS } from '../../inference/contract/limits.ts'
import { errorBody } from '../../routes/wire/errors/error-body.ts'
import { jsonFault } from '../../routes/wire/json/json-bounds.ts'

const SECOND_MS = 1000

/**
 * Node's own bounds are loose (a slow body may take 300 s). Streams are not bounded by these: they end where the answer
 * ends.
 */
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
/** A client that was told why its connection ends can read that for so long. */
const LAST_BYTES_MS = SECOND_MS

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
    const { headers } = request.raw
    // Many clients name a content type with each request: nothing has none, and is not parsed.
    if (headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0) delete headers['content-type']
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
  answerRaw(socket, status, message)
}

/** Answers past Node's HTTP, and closes the connection, even where the client does not. */
export function answerRaw(socket: Socket, status: string, message: string): void {
  const body = JSON.stringify(errorBody(message, 'invalid_request_error', null))
  const timer = setTimeout(() => socket.destroy(), LAST_BYTES_MS).unref()
  socket.on('error', () => socket.destroy()).once('close', () => clearTimeout(timer))
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
  )
}

const BROKEN: Readonly<Record<string, readonly [status: string, message: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'The request took too long to arrive.'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'The request headers are too large.']
}
