import websocket from '@fastify/websocket'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import { LIMITS } from '../../inference/contract/limits.ts'
import { assertOwnOrigin } from './origin.ts'
import { Outbox, type OutboxOptions } from './outbox.ts'
import { type SessionParts, SocketSession } from './socket-session.ts'

export interface SocketRouteOptions extends SessionParts {
  readonly callerOf: (request: FastifyRequest) => string
  /** Aborts when this process is about to go: sockets are told to come again elsewhere. */
  readonly leaving: AbortSignal
  readonly outbox?: OutboxOptions
  readonly pingMs?: number
}

const OUTBOX: OutboxOptions = { highWaterBytes: 262_144, stallMs: 10_000 }
const PING_MS = 30_000
/** RFC 6455 section 7.4, and the registry of close codes. */
const CLOSE = { serviceRestart: 1012 } as const

/** GET /v1/completions with an upgrade: many requests on one socket, each with the chunks that its SSE stream would have. */
export const socketRoute: FastifyPluginAsync<SocketRouteOptions> = async (app, options) => {
  await app.register(websocket, {
    options: { maxPayload: LIMITS.bodyBytes, perMessageDeflate: false },
    preClose(done) {
      for (const socket of this.websocketServer.clients) socket.close(CLOSE.serviceRestart, 'the server goes; come again')
      done()
    }
  })
  app.route({
    method: 'GET',
    url: '/v1/completions',
    exposeHeadRoute: false,
    preValidation: async request => assertOwnOrigin(request.headers.origin, request.headers.host),
    // Without an upgrade there is nothing to get.
    handler: (_request, reply) => reply.callNotFound(),
    wsHandler: (socket, request) => serveSocket(socket, request, options)
  })
}

function serveSocket(socket: WebSocket, request: FastifyRequest, options: SocketRouteOptions): void {
  const { leaving } = options
  const session = new SocketSession(options, {
    caller: options.callerOf(request),
    outbox: new Outbox(socket, options.outbox ?? OUTBOX),
    onEnded: facts => request.log.info({ route: 'websocket', ...facts }, 'request'),
    onBug: error => request.log.error({ err: error }, 'a request on a socket broke')
  })
  const ping = keepAlive(socket, options.pingMs ?? PING_MS)
  const leave = () => socket.close(CLOSE.serviceRestart, 'the server goes; come again')
  leaving.addEventListener('abort', leave)
  socket.on('message', (data, isBinary) => void session.hear(isBinary ? '' : String(data)))
  // A frame too large, or against the protocol: ws closes with the right code, and `close` follows.
  socket.on('error', error => request.log.debug({ err: error }, 'a socket broke'))
  socket.once('close', () => {
    clearInterval(ping)
    leaving.removeEventListener('abort', leave)
    session
      .leave(leaving.aborted)
      .catch((error: unknown) => request.log.error({ err: error }, 'requests of a closed socket could not be cancelled'))
  })
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
