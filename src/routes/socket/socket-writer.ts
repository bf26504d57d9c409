import type { WebSocket } from 'ws'
import type { ServerMessage } from './server-message.ts'

export interface SocketWriterOptions {
  /** Bytes that may be buffered for a client. */
  readonly highWaterBytes: number
  /** How long `room` waits for the client to read. */
  readonly stallMs: number
}

/**
 * Sends frames to one client with backpressure: callers check `hasRoom` first, so that the buffer stays near its limit.
 */
export class SocketWriter {
  readonly #socket: WebSocket
  readonly #options: SocketWriterOptions
  readonly #waiting = new Set<() => void>()

  constructor(socket: WebSocket, options: SocketWriterOptions) {
    this.#socket = socket
    this.#options = options
    socket.once('close', () => this.#wake())
  }

  send(message: ServerMessage): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    this.#socket.send(JSON.stringify(message), () => {
      if (this.hasRoom) this.#wake()
    })
  }

  /** Must be checked directly before each frame that can wait, because all requests of the socket share the buffer. */
  get hasRoom(): boolean {
    return this.#socket.readyState !== this.#socket.OPEN || this.#socket.bufferedAmount < this.#options.highWaterBytes
  }

  /** @returns true once there is room, which another request may take first; false after `stallMs` without room */
  async room(): Promise<boolean> {
    if (this.hasRoom) return true
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.add(resolve)
    let isStalled = false
    const timer = setTimeout(() => {
      isStalled = true
      resolve()
    }, this.#options.stallMs)
    await promise
    clearTimeout(timer)
    this.#waiting.delete(resolve)
    return !isStalled || this.hasRoom
  }

  /** Calls `proceed` once, when there is room or the socket is closed. */
  onRoom(proceed: () => void): void {
    const wake = () => {
      this.#waiting.delete(wake)
      proceed()
    }
    this.#waiting.add(wake)
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve()
  }
}
