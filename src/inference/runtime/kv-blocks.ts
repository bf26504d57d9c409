import { invariant } from '../contract/invariant.ts'
import { BLOCK_TOKENS } from '../contract/model-runner.ts'
import type { CacheSide, KvCache } from './kv-cache.ts'
import type { Address, PagedMemory } from './paged-memory.ts'

const FLOAT_BYTES = 4
const SIDES: readonly CacheSide[] = ['key', 'value']

/**
 * Copies of BLOCK_TOKENS positions of a row each, of all layers: float32 [blocks, layers, 2, kvHeads, BLOCK_TOKENS,
 * headDim]. A block is whole pages, so that its memory comes when it is filled and goes when it is released. It is this
 * process's own: it ends with it.
 */
export class KvBlocks {
  readonly blocks: number
  readonly #memory: PagedMemory
  readonly #cache: KvCache
  readonly #start: Address
  /** A block of one head of one side of one layer. */
  readonly #pieceBytes: number
  readonly #blockBytes: number

  /** @throws {ServiceError} `engine_failure` when the system refuses so large a range */
  constructor(memory: PagedMemory, cache: KvCache, blocks: number) {
    this.blocks = blocks
    this.#memory = memory
    this.#cache = cache
    this.#pieceBytes = BLOCK_TOKENS * cache.shape.headDim * FLOAT_BYTES
    this.#blockBytes = Math.ceil((BLOCK_TOKENS * cache.bytesPerToken) / memory.pageBytes) * memory.pageBytes
    this.#start = memory.reserve(this.#reservedBytes)
  }

  /** Positions `from`.. of a row are copied into a block. */
  save(row: number, from: number, block: number): void {
    for (const [inRow, inBlock] of this.#pieces(row, from, block)) this.#memory.copy(inRow, inBlock, this.#pieceBytes)
  }

  /** A block is copied to positions `to`.. of a row. */
  load(block: number, row: number, to: number): void {
    this.#cache.touch(row)
    for (const [inRow, inBlock] of this.#pieces(row, to, block)) this.#memory.copy(inBlock, inRow, this.#pieceBytes)
  }

  release(block: number): void {
    this.#memory.giveBack(this.#address(block), this.#blockBytes)
  }

  free(): void {
    this.#memory.free(this.#start, this.#reservedBytes)
  }

  get #reservedBytes(): number {
    return Math.max(1, this.blocks) * this.#blockBytes
  }

  #address(block: number): Address {
    invariant(Number.isInteger(block) && block >= 0 && block < this.blocks, `block ${block} is used; there are ${this.blocks}`)
    return this.#start + BigInt(block * this.#blockBytes)
  }

  /** Where each head's positions lie, in the row and in the block. */
  *#pieces(row: number, position: number, block: number): Generator<readonly [Address, Address]> {
    const { layers, kvHeads, capacity, headDim } = this.#cache.shape
    invariant(
      Number.isInteger(position) && position >= 0 && position + BLOCK_TOKENS <= capacity,
      `a block at position ${position}; a row holds ${capacity}`
    )
    const positionBytes = headDim * FLOAT_BYTES
    let inBlock = this.#address(block)
    for (let layer = 0; layer < layers; layer++) {
      for (const side of SIDES) {
        const start = this.#cache.address(layer, side, row)
        for (let head = 0; head < kvHeads; head++) {
          yield [start + BigInt((head * capacity + position) * positionBytes), inBlock]
          inBlock += BigInt(this.#pieceBytes)
        }
      }
    }
  }
}
