import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** A client that sends nothing for this long has had the time to read the response. */
const SILENCE_MS = 1000
/** The longest time that is spent on what a client still sends. */
const LINGER_CHECKS = 10

const lingering = new WeakSet<Socket>()

/**
 * Lets clients read a response that came before the end of their request, and after which the connection is closed: to
 * a body that is too large, to a wrong key. A connection that is closed with unread bytes is reset, and the reset makes
 * the client's kernel drop the response (RFC 9112, section 9.6).
 */
export function lingerAtClose(server: Server): void {
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    // Before Node's own listener, which closes the connection after its last response.
    response.prependOnceListener('finish', () => {
      const { socket } = request
      if (request.complete || socket.destroyed) return
      socket.destroySoon = () => closeLingering(socket)
    })
  })
}

/**
 * Closes the writing side. What the client still sends is discarded, until it closes its side or sends nothing more.
 */
export function closeLingering(socket: Socket): void {
  if (lingering.has(socket)) return
  lingering.add(socket)
  let bytesRead = socket.bytesRead
  let checks = 0
  const timer = setInterval(() => {
    if (socket.bytesRead === bytesRead || ++checks === LINGER_CHECKS) socket.destroy()
    bytesRead = socket.bytesRead
  }, SILENCE_MS).unref()
  socket.on('error', () => socket.destroy()).once('close', () => clearInterval(timer))
  socket.end()
}

/** Whether the last response of the connection has been sent: nothing more is answered. */
export function isLingering(socket: Socket): boolean {
  return lingering.has(socket)
}
