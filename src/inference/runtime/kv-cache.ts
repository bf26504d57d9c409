import { invariant } from '../contract/invariant.ts'
import type { Address, PagedMemory } from './paged-memory.ts'

export interface KvShape {
  readonly layers: number
  readonly rows: number
  readonly kvHeads: number
  /** Positions of a row. */
  readonly capacity: number
  readonly headDim: number
}

export type CacheSide = 'key' | 'value'

const FLOAT_BYTES = 4

/**
 * Keys and values of all rows: for each layer and side one buffer, float32 [rows, kvHeads, capacity, headDim].
 * A row of a buffer is contiguous, so that rows 0..B-1, or one row, are a tensor of their own at an address in it.
 * The capacity is raised until each head begins at a page: a row's pages are then nobody else's.
 */
export class KvCache {
  readonly shape: KvShape
  readonly #memory: PagedMemory
  readonly #buffers: readonly { readonly key: Address; readonly value: Address }[]
  readonly #headBytes: number
  readonly #rowBytes: number
  /** Rows that may have been written since their memory was given back. */
  readonly #touched = new Set<number>()

  /** @throws {ServiceError} `engine_failure` when the system refuses so large a cache */
  constructor(memory: PagedMemory, shape: KvShape) {
    this.#memory = memory
    this.shape = { ...shape, capacity: pageAligned(shape, memory.pageBytes) }
    this.#headBytes = this.shape.capacity * shape.headDim * FLOAT_BYTES
    this.#rowBytes = this.#headBytes * shape.kvHeads
    const bytes = this.#rowBytes * shape.rows
    this.#buffers = Array.from({ length: shape.layers }, () => ({ key: memory.reserve(bytes), value: memory.reserve(bytes) }))
  }

  get bytesPerToken(): number {
    const { layers, kvHeads, headDim } = this.shape
    return layers * 2 * kvHeads * headDim * FLOAT_BYTES
  }

  /** Where a row of a layer begins: `rows` rows from here are a tensor [rows, kvHeads, capacity, headDim]. */
  address(layer: number, side: CacheSide, row: number): Address {
    const buffer = this.#buffers[layer]
    invariant(buffer !== undefined && this.#has(row), `the cache has no layer ${layer}, row ${row}`)
    return buffer[side] + this.#offset(row)
  }

  /** To be called before a row is written: it takes memory from now on. */
  touch(row: number): void {
    this.#touched.add(row)
  }

  copyRow(from: number, to: number, positions: number): void {
    const { capacity, kvHeads, headDim } = this.shape
    invariant(this.#has(from) && this.#has(to), `a copy from row ${from} to row ${to}; there are ${this.shape.rows}`)
    invariant(positions >= 0 && positions <= capacity, `a copy of ${positions} positions; a row holds ${capacity}`)
    if (from === to || positions === 0) return
    this.touch(to)
    const bytes = positions * headDim * FLOAT_BYTES
    for (const buffer of this.#sides()) {
      for (let head = 0; head < kvHeads; head++) {
        const offset = buffer + BigInt(head * this.#headBytes)
        this.#memory.copy(offset + this.#offset(from), offset + this.#offset(to), bytes)
      }
    }
  }

  releaseRow(row: number): void {
    invariant(this.#has(row), `row ${row} is released; there are ${this.shape.rows}`)
    if (!this.#touched.delete(row)) return
    for (const buffer of this.#sides()) this.#memory.giveBack(buffer + this.#offset(row), this.#rowBytes)
  }

  free(): void {
    for (const buffer of this.#sides()) this.#memory.free(buffer, this.#rowBytes * this.shape.rows)
  }

  #has(row: number): boolean {
    return Number.isInteger(row) && row >= 0 && row < this.shape.rows
  }

  #offset(row: number): bigint {
    return BigInt(row * this.#rowBytes)
  }

  *#sides(): Generator<Address> {
    for (const { key, value } of this.#buffers) {
      yield key
      yield value
    }
  }
}

/** The least capacity from `shape.capacity` on at which a head is whole pages. */
function pageAligned({ capacity, headDim }: KvShape, pageBytes: number): number {
  const step = pageBytes / greatestCommonDivisor(pageBytes, headDim * FLOAT_BYTES)
  return Math.ceil(capacity / step) * step
}

function greatestCommonDivisor(left: number, right: number): number {
  return right === 0 ? left : greatestCommonDivisor(right, left % right)
}
