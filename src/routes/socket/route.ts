import type { Server } from 'node:http'
import { Writable } from 'node:stream'
import websocket from '@fastify/websocket'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import { InvariantError } from '../../inference/contract/invariant.ts'
import { LIMITS } from '../../inference/contract/limits.ts'
import { errorBody } from '../wire/errors/error-body.ts'
import { type ClientMessageParser, clientMessageParser } from './client-message.ts'
import { assertOwnOrigin, assertSocketKey, SOCKET_URL, SOCKET_VERSION } from './handshake.ts'
import { MistakeLimit } from './mistake-limit.ts'
import { type SessionParts, SocketSession } from './socket-session.ts'
import { SocketWriter, type SocketWriterOptions } from './socket-writer.ts'

export interface SocketRouteOptions extends SessionParts {
  readonly callerOf: (request: FastifyRequest) => string
  /** Aborts when this process is about to exit: sockets are closed with a request to reconnect. */
  readonly leaving: AbortSignal
  /** Emits `upgrade` for WebSocket requests; default: the HTTP server. */
  readonly upgrades?: Server
  readonly writer?: SocketWriterOptions
  readonly pingMs?: number
}

const WRITER_LIMITS: SocketWriterOptions = { highWaterBytes: 262_144, stallMs: 10_000 }
const PING_MS = 30_000
const SOCKET_OPTIONS = {
  maxPayload: LIMITS.bodyBytes,
  perMessageDeflate: false,
  // One message per turn of the event loop, however many arrived in one read.
  allowSynchronousEvents: false,
  /** Milliseconds to wait for the client's close frame before the connection is destroyed. */
  closeTimeout: 1000
} as const
/** RFC 6455 section 7.4, and the registry of close codes. */
const CLOSE = { policyViolation: 1008, internalError: 1011, serviceRestart: 1012 } as const
const RECONNECT = 'the server is shutting down; reconnect'

/**
 * GET /v1/completions with an upgrade to WebSocket: concurrent requests of all APIs on one socket, each with the chunks
 * of its SSE stream.
 */
export const socketRoute: FastifyPluginAsync<SocketRouteOptions> = async (app, options) => {
  const closing = new AbortController()
  const parseMessage = clientMessageParser(options.apis)
  await app.register(websocket, {
    errorHandler: breakSocket,
    options: { ...SOCKET_OPTIONS, ...(options.upgrades !== undefined && { server: options.upgrades }) },
    preClose(done) {
      closing.abort()
      for (const socket of this.websocketServer.clients) socket.close(CLOSE.serviceRestart, RECONNECT)
      done()
    }
  })
  app.route({
    method: 'GET',
    url: SOCKET_URL,
    exposeHeadRoute: false,
    async preValidation({ ws, headers }, reply) {
      assertOwnOrigin(headers.origin, headers.host)
      if (!ws) return
      assertSocketKey(headers)
      if (Number(headers['sec-websocket-version']) === SOCKET_VERSION) return
      const message = `Invalid 'Sec-WebSocket-Version' header: expected ${SOCKET_VERSION}.`
      return reply
        .code(426)
        .headers({ upgrade: 'websocket', 'sec-websocket-version': SOCKET_VERSION })
        .send(errorBody(message, 'invalid_request_error', null))
    },
    // A GET without an upgrade.
    handler: (_request, reply) => reply.callNotFound(),
    wsHandler(socket, request) {
      if (closing.signal.aborted) socket.close(CLOSE.serviceRestart, RECONNECT)
      else serveSocket(socket, request, parseMessage, options)
    }
  })
}

function serveSocket(socket: WebSocket, request: FastifyRequest, parseMessage: ClientMessageParser, options: SocketRouteOptions): void {
  const { leaving } = options
  stopAfterError(socket)
  const writer = new SocketWriter(socket, options.writer ?? WRITER_LIMITS)
  const mistakes = new MistakeLimit(options.clock)
  const session = new SocketSession(options, {
    caller: options.callerOf(request),
    parseMessage,
    writer,
    onMistake() {
      if (mistakes.exceeds()) socket.close(CLOSE.policyViolation, 'too many invalid frames')
    },
    onEnded: facts => request.log.info({ route: 'websocket', ...facts }, 'request'),
    onBug: error => request.log.error({ err: error }, 'a request on a WebSocket failed')
  })
  const ping = keepAlive(socket, options.pingMs ?? PING_MS)
  const leave = () => socket.close(CLOSE.serviceRestart, RECONNECT)
  leaving.addEventListener('abort', leave)
  socket.on('message', (data, isBinary) => {
    if (socket.readyState !== socket.OPEN) return
    void session.onMessage(isBinary ? null : String(data))
    readAtPace(socket, writer)
  })
  socket.once('close', () => {
    clearInterval(ping)
    leaving.removeEventListener('abort', leave)
    session
      .leave(leaving.aborted)
      .catch((error: unknown) => request.log.error({ err: error }, 'requests of a closed WebSocket could not be cancelled'))
  })
}

/**
 * After a frame that violates the protocol, `ws` 8.23 still parses the chunks that it has buffered, and throws outside
 * of any handler, which would end the process. Check this when `ws` is upgraded: `_receiver` is private.
 */
function stopAfterError(socket: WebSocket): void {
  const receiver = '_receiver' in socket ? socket._receiver : null
  if (!(receiver instanceof Writable)) throw new InvariantError('a WebSocket of `ws` has a receiver')
  const write = receiver._write
  receiver._write = function (chunk, encoding, done) {
    if (this.errored === null) write.call(this, chunk, encoding, done)
    else done()
  }
}

/** Backpressure: reads no more messages from a client that does not read its responses. */
function readAtPace(socket: WebSocket, writer: SocketWriter): void {
  if (writer.hasRoom || socket.isPaused) return
  socket.pause()
  writer.onRoom(() => socket.resume())
}

/**
 * For protocol errors (a frame that is too large or not UTF-8) `ws` closes the socket itself, with the right code;
 * every other error is a bug.
 */
function breakSocket(error: Error, socket: WebSocket, request: FastifyRequest): void {
  if (socket.readyState !== socket.OPEN) {
    request.log.debug({ err: error }, 'a WebSocket failed')
    return
  }
  request.log.error({ err: error }, 'a WebSocket could not be served')
  socket.close(CLOSE.internalError)
}

/** Terminates sockets that have not answered the last ping with a pong. */
function keepAlive(socket: WebSocket, pingMs: number): NodeJS.Timeout {
  let answered = true
  socket.on('pong', () => {
    answered = true
  })
  return setInterval(() => {
    if (!answered) {
      socket.terminate()
      return
    }
    answered = false
    socket.ping()
  }, pingMs)
}
