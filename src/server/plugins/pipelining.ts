import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { isLingering } from './lingering-close.ts'

/**
 * Waiting requests on one connection above which nothing more of it is parsed. At most those of one piece exceed it.
 */
const MAX_WAITING_PER_CONNECTION = 64
/**
 * Waiting requests on all connections together, about 5 KB each: a connection that would exceed the limit is closed.
 */
const MAX_WAITING = 10_000
/**
 * Node's parser emits all requests of the bytes that it is given, without a way to stop it: about 10 µs each. A read of
 * 64 KiB would be 1,600 requests of 40 bytes.
 */
const PIECE_BYTES = 1024

/**
 * Starts pipelined requests of a connection one after the other, each after the previous response has ended. For a
 * client that does not read, at most one response is produced, and between two responses the event loop serves other
 * clients.
 */
export function answerInTurn(server: Server, maxWaiting = MAX_WAITING): void {
  const pipelines = new WeakMap<Socket, Pipeline>()
  const handlers = server.listeners('request')
  let waitingTotal = 0

  server.on('connection', (socket: Socket) => {
    // A connection is passed to the server again after a request with an upgrade that is ignored.
    const pipeline =
      pipelines.get(socket) ??
      new Pipeline(socket, count => {
        waitingTotal -= count
      })
    pipelines.set(socket, pipeline)
    pipeline.attach()
  })
  // Before other listeners, which read the socket or put bytes back.
  for (const event of ['upgrade', 'connect']) {
    server.prependListener(event, ({ socket }: IncomingMessage) => pipelines.get(socket)?.release())
  }
  server.removeAllListeners('request')
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request
    const start = () => {
      for (const handle of handlers) Reflect.apply(handle, server, [request, response])
    }
    const pipeline = pipelines.get(socket)
    if (pipeline === undefined || socket.destroyed) return
    if (isLingering(socket)) socket.destroy()
    else if (!pipeline.isAnswering) pipeline.begin(response, start)
    else if (waitingTotal >= maxWaiting) socket.destroy()
    else {
      waitingTotal += 1
      pipeline.wait(response, start)
    }
  })
}

const EMPTY: Buffer = Buffer.alloc(0)

interface Waiting {
  readonly response: ServerResponse
  readonly start: () => void
}

/** The requests of one connection that wait, and its bytes that are not parsed yet. */
class Pipeline {
  readonly #socket: Socket
  readonly #onLeft: (count: number) => void
  readonly #waiting: Waiting[] = []
  /** Node's own listeners for data: they parse. */
  #parsers: readonly ((data: Buffer) => void)[] = []
  #unparsed = EMPTY
  #isAnswering = false
  #isParsing = false

  /** @param onLeft  called with the number of requests that wait no longer */
  constructor(socket: Socket, onLeft: (count: number) => void) {
    this.#socket = socket
    this.#onLeft = onLeft
    socket.once('close', () => this.#clear())
  }

  get isAnswering(): boolean {
    return this.#isAnswering
  }

  begin(response: ServerResponse, start: () => void): void {
    this.#isAnswering = true
    response.once('close', () => setImmediate(() => this.#beginNext()))
    start()
  }

  wait(response: ServerResponse, start: () => void): void {
    this.#waiting.push({ response, start })
  }

  /** Takes the received bytes before Node's HTTP server does. */
  attach(): void {
    const socket = this.#socket
    this.#parsers = socket.listeners('data').map(listener => data => void Reflect.apply(listener, socket, [data]))
    socket.removeAllListeners('data')
    // Node itself pauses and resumes sockets, too. While it pauses one, its parser must not get data.
    socket.on('data', this.#onData).on('resume', this.#parse)
  }

  /** Ends the parsing of this connection, which is no longer HTTP, and puts the remaining bytes back. */
  release(): void {
    this.#socket.off('data', this.#onData).off('resume', this.#parse)
    if (this.#unparsed.length > 0) this.#socket.unshift(this.#unparsed)
    this.#unparsed = EMPTY
  }

  readonly #onData = (data: Buffer): void => {
    this.#unparsed = this.#unparsed.length === 0 ? data : Buffer.concat([this.#unparsed, data])
    this.#parse()
  }

  readonly #parse = (): void => {
    if (this.#isParsing) return
    this.#isParsing = true
    while (this.#unparsed.length > 0 && !this.#isFull && !this.#socket.isPaused() && !this.#socket.destroyed) {
      const piece = this.#unparsed.subarray(0, PIECE_BYTES)
      this.#unparsed = this.#unparsed.subarray(piece.length)
      for (const parse of this.#parsers) parse(piece)
    }
    this.#isParsing = false
    if (this.#isFull) this.#socket.pause()
  }

  get #isFull(): boolean {
    return this.#waiting.length > MAX_WAITING_PER_CONNECTION
  }

  #beginNext(): void {
    this.#isAnswering = false
    const next = this.#waiting.shift()
    if (next === undefined) return
    this.#onLeft(1)
    // A socket whose writes wait is resumed by Node when they are done.
    if (this.#waiting.length === MAX_WAITING_PER_CONNECTION) this.#resume()
    this.begin(next.response, next.start)
  }

  #resume(): void {
    if (this.#socket.writableNeedDrain) this.#socket.once('drain', () => this.#socket.resume())
    else this.#socket.resume()
  }

  #clear(): void {
    this.#onLeft(this.#waiting.length)
    this.#waiting.length = 0
    this.#unparsed = EMPTY
  }
}
