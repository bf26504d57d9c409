import { type IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { asksForSocket } from '../../routes/socket/handshake.ts'
import { answerRaw } from './limits.ts'

/** Node keeps no more header lines of a request: one with so many may miss some. */
const MAX_HEADER_LINES = 1000

/**
 * Upgrades to anything but a WebSocket are ignored (RFC 9110, section 7.8): Java's HTTP client asks for `h2c` with each
 * request.
 *
 * Node's parser stops behind a request with `Upgrade` and drops what stands behind it in the same chunk, even where
 * `shouldUpgradeCallback` declines. Such a request is therefore taken as an upgrade, and given back to the server
 * without its `Upgrade` header.
 *
 * @returns emits `upgrade` for requests that ask for a WebSocket; it never listens on a port
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
        request.headers.upgrade = 'websocket' // alone: `ws` takes no list
        sockets.emit('upgrade', request, socket, head)
      } else {
        socket.unshift(Buffer.concat([withoutUpgrade(request), head]))
        app.server.emit('connection', socket)
      }
    })
  })
  app.server.on('connect', ({ socket }: IncomingMessage) => {
    whenAnswered(socket, () => answerRaw(socket, '405 Method Not Allowed', 'Not allowed to CONNECT: this server is no proxy.'))
  })
  // Node no longer manages the connection of an upgrade, and one that succeeds leaves its HTTP answer unfinished.
  app.addHook('onRequest', async ({ raw }, reply) => {
    if (!handedOver.has(raw)) return
    reply.header('connection', 'close')
    reply.raw.once('finish', () => raw.socket.destroySoon())
  })
  return sockets
}

/** Calls `proceed` once all earlier requests of the connection are answered, and never when it breaks before. */
function whenAnswered(socket: Socket, proceed: () => void): void {
  const unanswered = unansweredOn(socket)
  if (unanswered === null) {
    if (!socket.destroyed && socket.writable) proceed()
    return
  }
  // Node has taken its own listeners away.
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

/** Node marks a socket with the response that is being written to it. */
function unansweredOn(socket: Socket): ServerResponse | null {
  return '_httpMessage' in socket && socket._httpMessage instanceof ServerResponse ? socket._httpMessage : null
}

/** The head of a request as it came, but for `Upgrade`. */
function withoutUpgrade({ method = '', url = '', httpVersion, rawHeaders }: IncomingMessage): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() !== 'upgrade') lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`)
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
}
