import type { Server } from 'node:http'
import { Writable } from 'node:stream'
import websocket from '@fastify/websocket'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import { InvariantError } from '../../inference/contract/invariant.ts'
import { LIMITS } from '../../inference/contract/limits.ts'
import { errorBody } from '../wire/error-body.ts'
import { assertSocketKey, SOCKET_URL, SOCKET_VERSION } from './handshake.ts'
import { MistakeLimit } from './mistake-limit.ts'
import { assertOwnOrigin } from './origin.ts'
import { type SessionParts, SocketSession } from './socket-session.ts'
import { SocketWriter, type SocketWriterOptions } from './socket-writer.ts'

export interface SocketRouteOptions extends SessionParts {
  readonly callerOf: (request: FastifyRequest) => string
  /** Aborts when this process is about to go: sockets are told to come again elsewhere. */
  readonly leaving: AbortSignal
  /** Emits `upgrade` for requests to open a socket; none: the server itself does. */
  readonly upgrades?: Server
  readonly writer?: SocketWriterOptions
  readonly pingMs?: number
}

const WRITER_LIMITS: SocketWriterOptions = { highWaterBytes: 262_144, stallMs: 10_000 }
const PING_MS = 30_000
const SOCKET_OPTIONS = {
  maxPayload: LIMITS.bodyBytes,
  perMessageDeflate: false,
  // One message for each turn of the event loop, however many came in one read.
  allowSynchronousEvents: false,
  /** Milliseconds after which a client that does not answer a close frame is cut off. */
  closeTimeout: 1000
} as const
/** RFC 6455 section 7.4, and the registry of close codes. */
const CLOSE = { policyViolation: 1008, internalError: 1011, serviceRestart: 1012 } as const
const COME_AGAIN = 'the server goes; come again'

/**
 * GET /v1/completions with an upgrade: many requests on one socket, each with the chunks that its SSE stream would
 * have.
 */
export const socketRoute: FastifyPluginAsync<SocketRouteOptions> = async (app, options) => {
  const closing = new AbortController()
  await app.register(websocket, {
    errorHandler: breakSocket,
    options: { ...SOCKET_OPTIONS, ...(options.upgrades !== undefined && { server: options.upgrades }) },
    preClose(done) {
      closing.abort()
      for (const socket of this.websocketServer.clients) socket.close(CLOSE.serviceRestart, COME_AGAIN)
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
    // Without an upgrade there is nothing to get.
    handler: (_request, reply) => reply.callNotFound(),
    wsHandler(socket, request) {
      if (closing.signal.aborted) socket.close(CLOSE.serviceRestart, COME_AGAIN)
      else serveSocket(socket, request, options)
    }
  })
}

function serveSocket(socket: WebSocket, request: FastifyRequest, options: SocketRouteOptions): void {
  const { leaving } = options
  stopAfterError(socket)
  const writer = new SocketWriter(socket, options.writer ?? WRITER_LIMITS)
  const mistakes = new MistakeLimit(options.clock)
  const session = new SocketSession(options, {
    caller: options.callerOf(request),
    writer,
    onMistake() {
      if (mistakes.exceeds()) socket.close(CLOSE.policyViolation, 'too many frames that are refused')
    },
    onEnded: facts => request.log.info({ route: 'websocket', ...facts }, 'request'),
    onBug: error => request.log.error({ err: error }, 'a request on a socket broke')
  })
  const ping = keepAlive(socket, options.pingMs ?? PING_MS)
  const leave = () => socket.close(CLOSE.serviceRestart, COME_AGAIN)
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
      .catch((error: unknown) => request.log.error({ err: error }, 'requests of a closed socket could not be cancelled'))
  })
}

/**
 * After a frame against the protocol, `ws` 8.23 parses chunks that it has buffered before, and throws outside of any
 * handler, which would end the process.
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

/** Reads no more of a client that does not read: every message has an answer. */
function readAtPace(socket: WebSocket, writer: SocketWriter): void {
  if (writer.hasRoom || socket.isPaused) return
  socket.pause()
  writer.onRoom(() => socket.resume())
}

/**
 * For a frame against the protocol (too large, no UTF-8) `ws` closes the socket with the right code itself; anything
 * else is a bug.
 */
function breakSocket(error: Error, socket: WebSocket, request: FastifyRequest): void {
  if (socket.readyState !== socket.OPEN) {
    request.log.debug({ err: error }, 'a socket broke')
    return
  }
  request.log.error({ err: error }, 'a socket could not be served')
  socket.close(CLOSE.internalError)
}

/** Ends sockets whose other end is gone without a word: no pong since the last ping. */
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
