import { invariant } from '../contract/invariant.ts'
import type { Address, SystemMemory } from './system-memory.ts'

export interface KvShape {
  readonly layers: number
  readonly slots: number
  readonly kvHeads: number
  /** Positions of a row. */
  readonly capacity: number
  readonly headDim: number
}

const FLOAT_BYTES = 4

/**
 * Keys and values of all rows: for each layer and side one buffer, float32 [slots, kvHeads, capacity, headDim].
 * A row of a buffer is contiguous, so that rows 0..B-1, or one row, are a tensor of their own at an address in it.
 */
export class KvCache {
  readonly shape: KvShape
  readonly #memory: SystemMemory
  /** Layer by layer, key before value. */
  readonly #buffers: readonly Address[]
  readonly #rowBytes: number
  /** Positions of each row that may have been written since its memory was given back. */
  readonly #touched: Int32Array

  constructor(memory: SystemMemory, shape: KvShape) {
    this.#memory = memory
    this.shape = shape
    this.#rowBytes = shape.kvHeads * shape.capacity * shape.headDim * FLOAT_BYTES
    this.#buffers = Array.from({ length: shape.layers * 2 }, () => memory.reserve(this.#rowBytes * shape.slots))
    this.#touched = new Int32Array(shape.slots)
  }

  get bytesPerToken(): number {
    return this.shape.layers * 2 * this.shape.kvHeads * this.shape.headDim * FLOAT_BYTES
  }

  /** Where a row's keys (side 0) or values (side 1) of a layer begin. */
  address(layer: number, side: 0 | 1, row: number): Address {
    const buffer = this.#buffers[layer * 2 + side]
    invariant(buffer !== undefined && row < this.shape.slots, `there is no cache of layer ${layer}, row ${row}`)
    return buffer + BigInt(row * this.#rowBytes)
  }

  rowBytes(rows: number): number {
    return this.#rowBytes * rows
  }

  touch(row: number, positions: number): void {
    this.#touched[row] = Math.max(this.#touched[row] ?? 0, positions)
  }

  copyRow(from: number, to: number, positions: number): void {
    this.touch(to, positions)
    const { kvHeads, capacity, headDim } = this.shape
    const headBytes = BigInt(capacity * headDim * FLOAT_BYTES)
    const bytes = positions * headDim * FLOAT_BYTES
    const source = BigInt(from * this.#rowBytes)
    const target = BigInt(to * this.#rowBytes)
    for (const buffer of this.#buffers) {
      for (let head = 0n; head < kvHeads; head++) {
        this.#memory.copy(buffer + source + head * headBytes, buffer + target + head * headBytes, bytes)
      }
    }
  }

  releaseRow(row: number): void {
    if (this.#touched[row] === 0) return
    this.#touched[row] = 0
    for (const buffer of this.#buffers) this.#memory.giveBack(buffer + BigInt(row * this.#rowBytes), this.#rowBytes)
  }

  free(): void {
    for (const buffer of this.#buffers) this.#memory.free(buffer, this.#rowBytes * this.shape.slots)
  }
}
