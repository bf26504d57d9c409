import { fstatSync, ftruncateSync, readSync } from 'node:fs'
import { CACHE_ELEMENT_BYTES, type CacheType, cacheBytesPerToken } from '../contract/cache-type.ts'
import { invariant } from '../contract/invariant.ts'
import { ROW_HEADER_BYTES } from '../contract/model-runner.ts'
import type { Address, PagedMemory } from './memory/paged-memory.ts'

export interface KvShape {
  readonly layers: number
  readonly rows: number
  readonly kvHeads: number
  /** Positions of a row. */
  readonly capacity: number
  readonly headDim: number
  readonly cacheType: CacheType
}

export type CacheSide = 'key' | 'value'

/**
 * Keys and values of all rows: for each layer and side one buffer, float32 or int8 [rows, kvHeads, capacity, headDim].
 * A row of a buffer is contiguous, so that rows 0..B-1, or any single row, form a tensor at an address in it.
 * The capacity is rounded up until each head begins at a page boundary: no two rows share a page.
 * Row headers and buffers are one range, so that the whole can be mapped to a file that outlives this process.
 */
export class KvCache {
  readonly shape: KvShape
  readonly #memory: PagedMemory
  /** ROW_HEADER_BYTES for each row, and once more for all rows together. */
  readonly rowHeaders: ArrayBuffer
  readonly #start: Address
  readonly #bytes: number
  /** Bytes of one key or value of one head at one position. */
  readonly positionBytes: number
  readonly #headerBytes: number
  readonly #headBytes: number
  readonly #rowBytes: number
  /** Rows that may have been written since their memory was returned to the system. */
  readonly #touched = new Set<number>()

  /** @throws {ServiceError} `engine_failure` when the system refuses so large a cache */
  constructor(memory: PagedMemory, shape: KvShape) {
    this.#memory = memory
    this.shape = { ...shape, capacity: pageAligned(shape, memory.pageBytes) }
    this.positionBytes = positionBytes(shape)
    this.#headBytes = this.shape.capacity * this.positionBytes
    this.#rowBytes = this.#headBytes * shape.kvHeads
    const headerBytes = ROW_HEADER_BYTES * (shape.rows + 1)
    this.#headerBytes = Math.ceil(headerBytes / memory.pageBytes) * memory.pageBytes
    this.#bytes = this.#headerBytes + this.#rowBytes * shape.rows * 2 * shape.layers
    this.#start = memory.reserve(this.#bytes)
    this.rowHeaders = memory.view(this.#start, headerBytes)
  }

  get bytesPerToken(): number {
    return cacheBytesPerToken(this.shape, this.shape.cacheType)
  }

  /** Start of a row of a layer: `rows` rows from here are a tensor [rows, kvHeads, capacity, headDim]. */
  address(layer: number, side: CacheSide, row: number): Address {
    invariant(layer >= 0 && layer < this.shape.layers && this.#has(row), `the cache has no layer ${layer}, row ${row}`)
    return this.#buffer(2 * layer + (side === 'key' ? 0 : 1)) + this.#offset(row)
  }

  /** Must be called before a row is written: the row takes memory from then on. */
  touch(row: number): void {
    this.#touched.add(row)
  }

  copyRow(from: number, to: number, positions: number): void {
    for (const { source, target, bytes } of this.#pieces(from, to, positions)) {
      if (source !== target) this.#memory.copy(source, target, bytes)
    }
  }

  /**
   * As `copyRow`, from the file of another cache of the same shape.
   *
   * @returns false where the file does not contain the row: the target's content is then undefined
   */
  readRow(descriptor: number, from: number, to: number, positions: number): boolean {
    for (const { source, target, bytes } of this.#pieces(from, to, positions)) {
      if (!this.#memory.read(descriptor, Number(source - this.#start), target, bytes)) return false
    }
    return true
  }

  /** The current row headers in the file of another cache; null where the file has another size. */
  rowHeadersIn(descriptor: number): ArrayBuffer | null {
    try {
      if (fstatSync(descriptor).size !== this.#bytes) return null
      const headers = new Uint8Array(this.rowHeaders.byteLength)
      return readSync(descriptor, headers, 0, headers.length, 0) === headers.length ? headers.buffer : null
    } catch {
      return null
    }
  }

  releaseRow(row: number): void {
    invariant(this.#has(row), `row ${row} does not exist; there are ${this.shape.rows}`)
    if (!this.#touched.delete(row)) return
    for (const buffer of this.#sides()) this.#memory.giveBack(buffer + this.#offset(row), this.#rowBytes)
  }

  /**
   * Maps the cache to this file and takes over its content; a file of another size is emptied first. Addresses do not
   * change.
   *
   * @returns false where the system does not support it: the cache is then unchanged
   */
  moveTo(descriptor: number): boolean {
    try {
      if (fstatSync(descriptor).size !== this.#bytes) {
        ftruncateSync(descriptor, 0)
        ftruncateSync(descriptor, this.#bytes)
      }
    } catch {
      return false
    }
    if (!this.#memory.share(this.#start, this.#bytes, descriptor)) return false
    for (let row = 0; row < this.shape.rows; row++) this.touch(row)
    return true
  }

  free(): void {
    this.rowHeaders.transfer(0)
    this.#memory.free(this.#start, this.#bytes)
  }

  #has(row: number): boolean {
    return Number.isInteger(row) && row >= 0 && row < this.shape.rows
  }

  #offset(row: number): bigint {
    return BigInt(row * this.#rowBytes)
  }

  /** Start of the keys (even) or values (odd) of a layer. */
  #buffer(index: number): Address {
    return this.#start + BigInt(this.#headerBytes + index * this.#rowBytes * this.shape.rows)
  }

  /** The addresses of each head's first positions, in the source and in the target row. */
  *#pieces(
    from: number,
    to: number,
    positions: number
  ): Generator<{ readonly source: Address; readonly target: Address; readonly bytes: number }> {
    const { capacity, kvHeads } = this.shape
    invariant(this.#has(from) && this.#has(to), `a copy from row ${from} to row ${to}; there are ${this.shape.rows}`)
    invariant(positions >= 0 && positions <= capacity, `a copy of ${positions} positions; a row holds ${capacity}`)
    if (positions === 0) return
    this.touch(to)
    const bytes = positions * this.positionBytes
    for (const buffer of this.#sides()) {
      for (let head = 0; head < kvHeads; head++) {
        const start = buffer + BigInt(head * this.#headBytes)
        yield { source: start + this.#offset(from), target: start + this.#offset(to), bytes }
      }
    }
  }

  *#sides(): Generator<Address> {
    for (let index = 0; index < 2 * this.shape.layers; index++) yield this.#buffer(index)
  }
}

/** The smallest capacity of at least `shape.capacity` at which a head is whole pages. */
function pageAligned(shape: KvShape, pageBytes: number): number {
  const step = pageBytes / greatestCommonDivisor(pageBytes, positionBytes(shape))
  return Math.ceil(shape.capacity / step) * step
}

function positionBytes({ headDim, cacheType }: KvShape): number {
  return headDim * CACHE_ELEMENT_BYTES[cacheType]
}

function greatestCommonDivisor(left: number, right: number): number {
  return right === 0 ? left : greatestCommonDivisor(right, left % right)
}
