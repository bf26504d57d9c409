import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** The client side of a TCP connection, which keeps the received bytes. */
export class RawConnection {
  readonly socket: Socket
  #received = ''
  #wake: () => void = () => {}

  constructor(port: number, host = '127.0.0.1') {
    this.socket = connect(port, host)
    // A reset is an ordinary end: `closed` reports it.
    this.socket.on('error', () => {})
    this.socket.on('data', data => {
      this.#received += data.toString('latin1')
      this.#wake()
    })
    this.socket.once('close', () => this.#wake())
  }

  get received(): string {
    return this.#received
  }

  write(bytes: string): this {
    this.socket.write(bytes, 'latin1')
    return this
  }

  /** Resolves with the statuses of all responses once `count` have arrived. */
  async statuses(count: number): Promise<number[]> {
    for (;;) {
      const found = Array.from(this.#received.matchAll(/HTTP\/1\.1 (\d{3}) /g), ([, status]) => Number(status))
      if (found.length >= count) return found
      if (this.socket.destroyed) throw new Error(`the connection closed after ${found.length} of ${count} answers`)
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
  }

  async closed(): Promise<void> {
    if (!this.socket.closed) await once(this.socket, 'close')
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}

/** The bytes of a request; with a body also its type and length. */
export function rawRequest(method: string, target: string, headers: readonly string[] = [], body = ''): string {
  const lines = [`${method} ${target} HTTP/1.1`, 'Host: localhost', ...headers]
  if (body !== '') lines.push('Content-Type: application/json', `Content-Length: ${body.length}`)
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}
