import { invariant } from '../contract/invariant.ts'
import type { CacheSide } from './kv-cache.ts'
import type { Address, PagedMemory } from './memory/paged-memory.ts'

const FLOAT_BYTES = Float32Array.BYTES_PER_ELEMENT

/** What 1 stands for in an int8 cache, in native memory: float32 [layers, 2], keys before values. */
export class CacheScales {
  readonly #memory: PagedMemory
  readonly #start: Address
  readonly #count: number

  constructor(memory: PagedMemory, scales: readonly number[]) {
    this.#memory = memory
    this.#count = scales.length
    this.#start = memory.reserve(this.#bytes)
    const buffer = memory.view(this.#start, this.#bytes)
    new Float32Array(buffer).set(scales)
    buffer.transfer(0)
  }

  address(layer: number, side: CacheSide): Address {
    const index = 2 * layer + (side === 'key' ? 0 : 1)
    invariant(index < this.#count, `there is no scale of the ${side}s of layer ${layer}`)
    return this.#start + BigInt(index * FLOAT_BYTES)
  }

  free(): void {
    this.#memory.free(this.#start, this.#bytes)
  }

  get #bytes(): number {
    return this.#count * FLOAT_BYTES
  }
}
