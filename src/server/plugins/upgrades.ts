import { type IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { asksForSocket } from '../../routes/socket/handshake.ts'
import { answerRaw } from './limits.ts'

/** Node drops header lines beyond this number. */
const MAX_HEADER_LINES = 1000

/**
 * Ignores upgrades to anything but a WebSocket (RFC 9110, section 7.8): Java's HTTP client requests `h2c` with every
 * request.
 *
 * Node's parser stops after a request with `Upgrade` and drops the bytes after it in the same chunk, even if
 * `shouldUpgradeCallback` declines. Such a request is therefore accepted as an upgrade, and passed to the server again
 * without its `Upgrade` header.
 *
 * @returns a server that emits `upgrade` for WebSocket requests; it never listens on a port
 */
export function routeUpgrades(app: FastifyInstance): Server {
  const sockets = new Server()
  const handedOver = new WeakSet<IncomingMessage>()

  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    whenAnswered(request.socket, () => {
      if (request.rawHeaders.length >= 2 * MAX_HEADER_LINES) {
        answerRaw(request.socket, '431 Request Header Fields Too Large', 'The request has too many headers.')
      } else if (asksForSocket(request)) {
        handedOver.add(request)
        request.headers.upgrade = 'websocket' // `ws` does not accept a list
        sockets.emit('upgrade', request, socket, head)
      } else {
        socket.unshift(Buffer.concat([withoutUpgrade(request), head]))
        app.server.emit('connection', socket)
      }
    })
  })
  app.server.on('connect', ({ socket }: IncomingMessage) => {
    whenAnswered(socket, () => answerRaw(socket, '405 Method Not Allowed', 'CONNECT is not allowed: this server is not a proxy.'))
  })
  // Node no longer manages the connection of an upgrade; a successful upgrade never finishes its HTTP response.
  app.addHook('onRequest', async ({ raw }, reply) => {
    if (!handedOver.has(raw)) return
    reply.header('connection', 'close')
    reply.raw.once('finish', () => raw.socket.destroySoon())
  })
  return sockets
}

/** Calls `proceed` once all earlier requests of the connection are answered; never if the connection breaks before. */
function whenAnswered(socket: Socket, proceed: () => void): void {
  const unanswered = unansweredOn(socket)
  if (unanswered === null) {
    if (!socket.destroyed && socket.writable) proceed()
    return
  }
  // Node has removed its own listeners.
  const destroy = () => socket.destroy()
  const onDrain = () => unanswered.emit('drain')
  const keepUnread = () => {}
  socket.on('error', destroy).on('drain', onDrain).on('readable', keepUnread)
  unanswered.once('close', () => {
    socket.off('drain', onDrain).off('readable', keepUnread)
    whenAnswered(socket, proceed)
    socket.off('error', destroy)
  })
}

/** Node stores the response that is being written in an internal property of its socket. */
function unansweredOn(socket: Socket): ServerResponse | null {
  return '_httpMessage' in socket && socket._httpMessage instanceof ServerResponse ? socket._httpMessage : null
}

/** The head of a request as received, without `Upgrade`. */
function withoutUpgrade({ method = '', url = '', httpVersion, rawHeaders }: IncomingMessage): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() !== 'upgrade') lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`)
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
}
