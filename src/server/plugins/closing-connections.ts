import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { shuttingDown } from '../../routes/wire/errors/service-errors.ts'
import { answerRaw } from './limits.ts'

/** While the server closes, a client that reads nothing of its response for this long is disconnected. */
const STALL_MS = 2000

/**
 * While the server drains it rejects new work, before the body is read. Running requests continue and can be read,
 * resumed and cancelled.
 */
export function refuseWhileDraining(app: FastifyInstance, isDraining: () => boolean): void {
  app.addHook('onRequest', async (request, reply) => {
    if (request.method !== 'POST' || !isDraining()) return
    reply.header('connection', 'close')
    throw shuttingDown()
  })
}

/**
 * A closing Node server waits for every connection, also for one on which no request was ever sent. This one waits only
 * for responses: connections without a complete request are closed at once, the others after their last response. The
 * WebSocket route closes its own connections.
 */
export function closeConnections(app: FastifyInstance, stallMs = STALL_MS): void {
  const unanswered = new Map<Socket, Set<FastifyReply>>()
  let isClosing = false

  function closeIfIdle(socket: Socket, replies: ReadonlySet<FastifyReply>): void {
    const [next] = replies
    if (next === undefined) socket.destroySoon()
    else if (!next.request.raw.complete && !next.raw.headersSent && !next.request.ws) {
      answerRaw(socket, '503 Service Unavailable', shuttingDown().message)
    }
  }

  function closeStalledConnections(): NodeJS.Timeout {
    const sentBytes = new Map<Socket, number>()
    return setInterval(() => {
      for (const socket of unanswered.keys()) {
        const sent = socket.bytesWritten - socket.writableLength
        if (socket.writableLength > 0 && sentBytes.get(socket) === sent) socket.destroy()
        sentBytes.set(socket, sent)
      }
    }, stallMs)
  }

  app.server.on('connection', socket => {
    if (unanswered.has(socket)) return
    unanswered.set(socket, new Set())
    socket.once('close', () => unanswered.delete(socket))
  })
  app.addHook('onRequest', async (request, reply) => {
    const replies = unanswered.get(request.raw.socket)
    replies?.add(reply)
    reply.raw.once('close', () => {
      replies?.delete(reply)
      if (isClosing && replies !== undefined) closeIfIdle(request.raw.socket, replies)
    })
  })
  app.addHook('preClose', async () => {
    isClosing = true
    // Node calls this on close; its version treats a response that is not flushed yet as finished and cuts it off.
    app.server.closeIdleConnections = () => {}
    for (const [socket, replies] of unanswered) closeIfIdle(socket, replies)
    const check = closeStalledConnections()
    app.server.once('close', () => clearInterval(check))
  })
}
