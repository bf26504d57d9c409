import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Requests that may wait on one connection before it is read no further. Node parses all that one read of up to 64 KiB
 * brought.
 */
const MAX_WAITING_PER_CONNECTION = 16
/** Requests that may wait on all connections together, some 5 KB each: a connection that would exceed it is closed. */
const MAX_WAITING = 10_000

interface Line {
  isAnswering: boolean
  readonly waiting: (() => void)[]
}

/**
 * Requests that a client sends without waiting for answers (pipelining) are begun one after the other, each behind the
 * answer before it: for a client that does not read no more than one answer is made, and between two the event loop
 * serves others.
 */
export function answerInTurn(server: Server, maxWaiting = MAX_WAITING): void {
  const lines = new WeakMap<Socket, Line>()
  const handlers = server.listeners('request')
  let waitingEverywhere = 0

  function openLine(socket: Socket): Line {
    const line: Line = { isAnswering: false, waiting: [] }
    lines.set(socket, line)
    // Node resumes a socket for reasons of its own.
    socket.on('resume', () => {
      if (line.waiting.length > MAX_WAITING_PER_CONNECTION) socket.pause()
    })
    socket.once('close', () => {
      waitingEverywhere -= line.waiting.length
      line.waiting.length = 0
    })
    return line
  }

  function begin(request: IncomingMessage, response: ServerResponse, line: Line): void {
    line.isAnswering = true
    response.once('close', () => setImmediate(beginNext, request.socket, line))
    for (const handle of handlers) Reflect.apply(handle, server, [request, response])
  }

  function beginNext(socket: Socket, line: Line): void {
    line.isAnswering = false
    const next = line.waiting.shift()
    if (next === undefined) return
    waitingEverywhere -= 1
    if (line.waiting.length === MAX_WAITING_PER_CONNECTION) socket.resume()
    next()
  }

  server.removeAllListeners('request')
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request
    const line = lines.get(socket) ?? openLine(socket)
    if (!line.isAnswering) begin(request, response, line)
    else if (waitingEverywhere >= maxWaiting || socket.destroyed) socket.destroy()
    else {
      line.waiting.push(() => begin(request, response, line))
      waitingEverywhere += 1
      if (line.waiting.length > MAX_WAITING_PER_CONNECTION) socket.pause()
    }
  })
}
