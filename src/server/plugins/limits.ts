import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyHttpOptions, FastifyInstance } from 'fastify'
import { ServiceError } from '../../inference/contract/errors.ts'
import { LIMITS } from '../../inference/contract/limits.ts'
import { errorBody } from '../../routes/wire/errors/error-body.ts'
import { jsonFault } from '../../routes/wire/json/json-bounds.ts'
import { closeLingering, isLingering } from './lingering-close.ts'

const SECOND_MS = 1000

/** Stricter than the defaults of Node, which allow a slow body 300 s. They do not limit the duration of a response. */
export const HTTP_LIMITS = {
  bodyLimit: LIMITS.bodyBytes,
  /** For the whole request, body included. */
  requestTimeout: 30 * SECOND_MS,
  /** Longer than the idle timeout of common proxies, so that the proxy closes first. */
  keepAliveTimeout: 75 * SECOND_MS,
  maxRequestsPerSocket: 10_000,
  http: {
    headersTimeout: 10 * SECOND_MS,
    connectionsCheckingInterval: 5 * SECOND_MS,
    maxHeaderSize: 16 * 1024
  }
} as const satisfies FastifyHttpOptions<Server>

const MAX_CONNECTIONS = 10_000

/** Limits the connections of all listeners together, which Node's `maxConnections` counts for each. */
export function limitConnections(server: Server, max = MAX_CONNECTIONS): void {
  const open = new Set<Socket>()
  server.prependListener('connection', socket => {
    if (open.has(socket)) return
    if (open.size >= max) {
      socket.destroy()
      return
    }
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
}

/** Limits that `HTTP_LIMITS` cannot express: JSON bodies only, of bounded depth, uncompressed. */
export function limitRequests(app: FastifyInstance): void {
  app.removeContentTypeParser('text/plain')
  const parseJson = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    const fault = jsonFault(body)
    if (fault === null) void parseJson(request, body, done)
    else done(new ServiceError('invalid_request', `Invalid request body: ${fault}.`))
  })
  app.addHook('onRequest', async (request, reply) => {
    const { headers } = request.raw
    // Many clients send a content type with every request: an empty body has none and must not be parsed.
    if (headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0) delete headers['content-type']
    const encoding = request.headers['content-encoding'] ?? 'identity'
    if (encoding === 'identity') return
    return reply
      .code(415)
      .send(errorBody('Compressed request bodies are not supported.', 'invalid_request_error', 'unsupported_media_type'))
  })
}

/** Answers input that Node's HTTP parser rejected. */
export function answerBrokenRequest(error: Error & { readonly code?: string }, socket: Socket): void {
  if (isLingering(socket) && error.code !== 'ECONNRESET') return
  if (socket.destroyed || !socket.writable || error.code === 'ECONNRESET') {
    socket.destroy(error)
    return
  }
  const [status, message] = BROKEN[error.code ?? ''] ?? (['400 Bad Request', 'The request is not valid HTTP.'] as const)
  answerRaw(socket, status, message)
}

/** Writes a response directly to the socket, and closes the connection even if the client does not. */
export function answerRaw(socket: Socket, status: string, message: string): void {
  const body = JSON.stringify(errorBody(message, 'invalid_request_error', null))
  socket.write(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
  )
  closeLingering(socket)
}

const BROKEN: Readonly<Record<string, readonly [status: string, message: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'The request took too long to arrive.'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'The request headers are too large.']
}
