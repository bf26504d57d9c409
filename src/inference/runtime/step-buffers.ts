import { invariant } from '../contract/invariant.ts'
import type { Address, SystemMemory } from './system-memory.ts'

export interface StepShape {
  readonly slots: number
  readonly chunkTokens: number
  readonly vocabularySize: number
}

type BufferName = 'tokenIds' | 'positions' | 'logitIndices' | 'lastIndices' | 'totalLength' | 'logits'

/** What changes from step to step: small inputs and the logits, at fixed addresses, so that bindings stay valid. */
export class StepBuffers {
  /** int64, [B] or [S]. */
  readonly tokenIds: BigInt64Array
  /** int64, like the token ids: position of each in its row. */
  readonly positions: BigInt64Array
  /** int64 [R]. */
  readonly logitIndices: BigInt64Array
  /** int32 [B]: the kernel's `seqlens_k`, length after the step minus one. */
  readonly lastIndices: Int32Array
  /** int32 [1]: the longest row after the step. */
  readonly totalLength: Int32Array
  /** float32 [R, V]. */
  readonly logits: Float32Array
  readonly #memory: SystemMemory
  readonly #ranges = new Map<BufferName, { readonly address: Address; readonly bytes: number }>()

  constructor(memory: SystemMemory, { slots, chunkTokens, vocabularySize }: StepShape) {
    this.#memory = memory
    const tokens = Math.max(slots, chunkTokens)
    this.tokenIds = new BigInt64Array(this.#reserve('tokenIds', tokens * 8))
    this.positions = new BigInt64Array(this.#reserve('positions', tokens * 8))
    this.logitIndices = new BigInt64Array(this.#reserve('logitIndices', tokens * 8))
    this.lastIndices = new Int32Array(this.#reserve('lastIndices', slots * 4))
    this.totalLength = new Int32Array(this.#reserve('totalLength', 4))
    this.logits = new Float32Array(this.#reserve('logits', tokens * vocabularySize * 4))
  }

  address(name: BufferName): Address {
    const range = this.#ranges.get(name)
    invariant(range !== undefined, `there is no buffer ${name}`)
    return range.address
  }

  free(): void {
    for (const { address, bytes } of this.#ranges.values()) this.#memory.free(address, bytes)
  }

  #reserve(name: BufferName, bytes: number): ArrayBuffer {
    const address = this.#memory.reserve(bytes)
    this.#ranges.set(name, { address, bytes })
    return this.#memory.view(address, bytes)
  }
}
