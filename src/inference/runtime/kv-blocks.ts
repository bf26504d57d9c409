import { invariant } from '../contract/invariant.ts'
import { BLOCK_TOKENS } from '../contract/model-runner.ts'
import type { CacheSide, KvCache } from './kv-cache.ts'
import type { Address, PagedMemory } from './memory/paged-memory.ts'

const SIDES: readonly CacheSide[] = ['key', 'value']

/**
 * Blocks, each a copy of BLOCK_TOKENS positions of a row in all layers: [blocks, layers, 2, kvHeads, BLOCK_TOKENS,
 * headDim]. A block is whole pages, so that it takes memory from when it is filled until it is released.
 * Blocks are private to this process and end with it.
 */
export class KvBlocks {
  readonly blocks: number
  readonly #memory: PagedMemory
  readonly #cache: KvCache
  readonly #start: Address
  /** The part of a block that belongs to one head of one side of one layer. */
  readonly #pieceBytes: number
  readonly #blockBytes: number

  /** @throws {ServiceError} `engine_failure` when the system refuses so large a range */
  constructor(memory: PagedMemory, cache: KvCache, blocks: number) {
    this.blocks = blocks
    this.#memory = memory
    this.#cache = cache
    this.#pieceBytes = BLOCK_TOKENS * cache.positionBytes
    this.#blockBytes = Math.ceil((BLOCK_TOKENS * cache.bytesPerToken) / memory.pageBytes) * memory.pageBytes
    this.#start = memory.reserve(this.#reservedBytes)
  }

  /** Copies the positions of a row from `from` on into a block. */
  save(row: number, from: number, block: number): void {
    for (const [inRow, inBlock] of this.#pieces(row, from, block)) this.#memory.copy(inRow, inBlock, this.#pieceBytes)
  }

  /** Copies a block to the positions of a row from `to` on. */
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
    invariant(Number.isInteger(block) && block >= 0 && block < this.blocks, `block ${block} does not exist; there are ${this.blocks}`)
    return this.#start + BigInt(block * this.#blockBytes)
  }

  /** The addresses of each head's positions, in the row and in the block. */
  *#pieces(row: number, position: number, block: number): Generator<readonly [Address, Address]> {
    const { positionBytes } = this.#cache
    const { layers, kvHeads, capacity } = this.#cache.shape
    invariant(
      Number.isInteger(position) && position >= 0 && position + BLOCK_TOKENS <= capacity,
      `a block starts at position ${position}; a row holds ${capacity}`
    )
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
