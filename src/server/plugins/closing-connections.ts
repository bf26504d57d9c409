import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { answerRaw } from './limits.ts'

/** While the server closes, a client that reads nothing of its answer for so long is not waited for. */
const STALL_MS = 2000

/**
 * Node waits for every connection when a server closes, and for one on which nothing was ever asked as for a busy one.
 * Here the server waits for answers only: it closes at once what asks for nothing or has not asked in full, and
 * everything else behind its last answer. The WebSocket route closes its own.
 */
export function closeConnections(app: FastifyInstance, stallMs = STALL_MS): void {
  const unanswered = new Map<Socket, Set<FastifyReply>>()
  let isClosing = false

  function closeIfIdle(socket: Socket, replies: ReadonlySet<FastifyReply>): void {
    const [next] = replies
    if (next === undefined) socket.destroySoon()
    else if (!next.request.raw.complete && !next.raw.headersSent && !next.request.ws) {
      answerRaw(socket, '503 Service Unavailable', 'The server is shutting down. Please try again.')
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
    // Node's own, which closing calls, takes an answer for over that is not flushed yet, and cuts it off.
    app.server.closeIdleConnections = () => {}
    for (const [socket, replies] of unanswered) closeIfIdle(socket, replies)
    const check = closeStalledConnections()
    app.server.once('close', () => clearInterval(check))
  })
}
