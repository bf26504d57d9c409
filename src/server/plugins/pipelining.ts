import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { isLingering } from './lingering-close.ts'

/**
 * Waiting requests on one connection above which reading from it pauses. It can be exceeded: Node parses all requests
 * in one read of up to 64 KiB.
 */
const MAX_WAITING_PER_CONNECTION = 16
/**
 * Waiting requests on all connections together, about 5 KB each: a connection that would exceed the limit is closed.
 */
const MAX_WAITING = 10_000

interface Pipeline {
  isAnswering: boolean
  readonly waiting: (() => void)[]
}

/**
 * Starts pipelined requests of a connection one after the other, each after the previous response has ended. For a
 * client that does not read, at most one response is produced, and between two responses the event loop serves other
 * clients.
 */
export function answerInTurn(server: Server, maxWaiting = MAX_WAITING): void {
  const pipelines = new WeakMap<Socket, Pipeline>()
  const handlers = server.listeners('request')
  let waitingTotal = 0

  function openPipeline(socket: Socket): Pipeline {
    const pipeline: Pipeline = { isAnswering: false, waiting: [] }
    pipelines.set(socket, pipeline)
    // Node itself resumes sockets, too.
    socket.on('resume', () => {
      if (pipeline.waiting.length > MAX_WAITING_PER_CONNECTION) socket.pause()
    })
    socket.once('close', () => {
      waitingTotal -= pipeline.waiting.length
      pipeline.waiting.length = 0
    })
    return pipeline
  }

  function begin(request: IncomingMessage, response: ServerResponse, pipeline: Pipeline): void {
    pipeline.isAnswering = true
    response.once('close', () => setImmediate(beginNext, request.socket, pipeline))
    for (const handle of handlers) Reflect.apply(handle, server, [request, response])
  }

  function beginNext(socket: Socket, pipeline: Pipeline): void {
    pipeline.isAnswering = false
    const next = pipeline.waiting.shift()
    if (next === undefined) return
    waitingTotal -= 1
    if (pipeline.waiting.length === MAX_WAITING_PER_CONNECTION) socket.resume()
    next()
  }

  server.removeAllListeners('request')
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request
    const pipeline = pipelines.get(socket) ?? openPipeline(socket)
    if (isLingering(socket)) socket.destroy()
    else if (!pipeline.isAnswering) begin(request, response, pipeline)
    else if (waitingTotal >= maxWaiting) socket.destroy()
    else {
      pipeline.waiting.push(() => begin(request, response, pipeline))
      waitingTotal += 1
      if (pipeline.waiting.length > MAX_WAITING_PER_CONNECTION) socket.pause()
    }
  })
}
