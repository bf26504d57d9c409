import { connect, type Socket } from 'node:net'

/**
 * Reads many streams with as little work as possible: counts events in the bytes and records their times of arrival.
 * Suitable for a server on the same cores.
 */
export class RawStreams {
  readonly #sockets: Socket[] = []
  #events = 0
  #counting = false
  /** Arrival of each event of each stream, in milliseconds of the monotonic clock. */
  readonly #arrivals: number[][] = []

  /** Sends the same body on `count` connections, distributed over `ports`. */
  open(ports: readonly number[], count: number, body: object): void {
    const json = JSON.stringify(body)
    for (let index = 0; index < count; index++) {
      const socket = connect(ports[index % ports.length] ?? 0, '127.0.0.1')
      const arrivals: number[] = []
      this.#arrivals.push(arrivals)
      socket.on('error', error => console.error(`stream ${index}: ${error.message}`))
      socket.on('data', bytes => this.#count(bytes, arrivals))
      socket.write(
        `POST /v1/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(json)}\r\n\r\n${json}`
      )
      this.#sockets.push(socket)
    }
  }

  get opened(): number {
    return this.#sockets.length
  }

  /** Number of streams that have received data. */
  get begun(): number {
    return this.#arrivals.filter(arrivals => arrivals.length > 0).length
  }

  /** Starts to count. */
  start(): void {
    this.#events = 0
    for (const arrivals of this.#arrivals) arrivals.length = 0
    this.#counting = true
  }

  /** Events since `start`. */
  stop(): number {
    this.#counting = false
    return this.#events
  }

  /**
   * Delay of events in milliseconds, relative to the pace of their stream, whose earliest event counts as on time: the
   * latency that the path between a steady engine and its readers adds.
   */
  lateness(stepMs: number): { readonly p50: number; readonly p99: number; readonly max: number } {
    const late = this.#arrivals.flatMap(arrivals => {
      const offsets = arrivals.map((atMs, index) => atMs - index * stepMs)
      const quickest = offsets.reduce((least, offset) => Math.min(least, offset), Number.POSITIVE_INFINITY)
      return offsets.map(offset => offset - quickest)
    })
    late.sort((a, b) => a - b)
    const at = (share: number): number => Number((late[Math.min(late.length - 1, Math.floor(share * late.length))] ?? 0).toFixed(1))
    return { p50: at(0.5), p99: at(0.99), max: at(1) }
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #count(bytes: Buffer, arrivals: number[]): void {
    if (!this.#counting) {
      arrivals.push(0)
      return
    }
    const atMs = performance.now()
    for (let at = bytes.indexOf(DATA); at >= 0; at = bytes.indexOf(DATA, at + DATA.length)) {
      this.#events++
      arrivals.push(atMs)
    }
  }
}

const DATA = Buffer.from('\ndata: ')
