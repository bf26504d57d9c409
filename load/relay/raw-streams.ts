import { connect, type Socket } from 'node:net'

/**
 * Reads many streams with as little work as can be: counts events in the bytes and notes when they came. Measures a
 * server on the same cores as itself.
 */
export class RawStreams {
  readonly #sockets: Socket[] = []
  #events = 0
  #counting = false
  /** Milliseconds of the monotonic clock at which each event of each stream came. */
  readonly #arrivals: number[][] = []

  /** Sends the same body on `count` connections, spread over `ports`. */
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

  /** Streams that have brought something. */
  get begun(): number {
    return this.#arrivals.filter(arrivals => arrivals.length > 0).length
  }

  /** Counts from now on. */
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
   * How late events came, in milliseconds: each against the pace of its stream, whose quickest event counts as in time.
   * What a steady engine's readers see of the way between.
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
