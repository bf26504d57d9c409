import { readSync } from 'node:fs'
import { ModelFileError } from './model-file-error.ts'

/** Size of the read-ahead buffer: a header consists of many small values. */
const WINDOW_BYTES = 2 ** 20

const UTF8 = new TextDecoder('utf-8')

/**
 * Reads little-endian values sequentially from the start of a file, never past its end or a limit.
 * Synchronous, because a header has 100,000 values and is read at start-up.
 */
export class HeaderReader {
  readonly path: string
  readonly #fd: number
  readonly #fileBytes: number
  readonly #limitBytes: number
  #window: Buffer = Buffer.alloc(0)
  #windowStart = 0
  #position = 0

  constructor(path: string, fd: number, fileBytes: number, limitBytes: number) {
    this.path = path
    this.#fd = fd
    this.#fileBytes = fileBytes
    this.#limitBytes = limitBytes
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#position
  }

  /** Bytes that may still be read. */
  get remaining(): number {
    return Math.min(this.#fileBytes, this.#limitBytes) - this.#position
  }

  u8(what: string): number {
    return this.#take(1, what).readUInt8()
  }

  i8(what: string): number {
    return this.#take(1, what).readInt8()
  }

  u16(what: string): number {
    return this.#take(2, what).readUInt16LE()
  }

  i16(what: string): number {
    return this.#take(2, what).readInt16LE()
  }

  u32(what: string): number {
    return this.#take(4, what).readUInt32LE()
  }

  i32(what: string): number {
    return this.#take(4, what).readInt32LE()
  }

  f32(what: string): number {
    return this.#take(4, what).readFloatLE()
  }

  f64(what: string): number {
    return this.#take(8, what).readDoubleLE()
  }

  u64(what: string): bigint {
    return this.#take(8, what).readBigUInt64LE()
  }

  i64(what: string): bigint {
    return this.#take(8, what).readBigInt64LE()
  }

  /** A 64-bit count or size that must be at most `limit`. */
  count(what: string, limit: number): number {
    const value = this.u64(what)
    if (value > BigInt(limit)) this.fail(`${what} is ${value}, at most ${limit} is allowed`)
    return Number(value)
  }

  /** A length of 8 bytes, then UTF-8; invalid bytes become U+FFFD. */
  string(what: string, limitBytes: number): string {
    return UTF8.decode(this.#take(this.count(`length of ${what}`, limitBytes), what))
  }

  fail(message: string): never {
    throw new ModelFileError(`${this.path}: ${message}`)
  }

  /** The next bytes, as a view that is valid until the next call. */
  #take(bytes: number, what: string): Buffer {
    if (bytes > this.remaining) {
      const end =
        this.#fileBytes <= this.#limitBytes ? `the file ends at byte ${this.#fileBytes}` : `a header may have ${this.#limitBytes} bytes`
      this.fail(`${what} at byte ${this.#position} needs ${bytes} bytes, but ${end}`)
    }
    let start = this.#position - this.#windowStart
    if (start + bytes > this.#window.length) {
      this.#refill(bytes, what)
      start = 0
    }
    this.#position += bytes
    return this.#window.subarray(start, start + bytes)
  }

  #refill(bytes: number, what: string): void {
    const needed = Math.min(Math.max(bytes, WINDOW_BYTES), this.#fileBytes - this.#position)
    const window = Buffer.allocUnsafe(needed)
    let filled = 0
    while (filled < needed) {
      const read = readSync(this.#fd, window, filled, needed - filled, this.#position + filled)
      if (read === 0) this.fail(`${what}: the file became shorter while it was read`)
      filled += read
    }
    this.#window = window
    this.#windowStart = this.#position
  }
}
