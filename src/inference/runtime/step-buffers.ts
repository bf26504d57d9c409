import type { Address, PagedMemory } from './memory/paged-memory.ts'

export interface StepShape {
  readonly slots: number
  readonly chunkTokens: number
  readonly vocabularySize: number
}

/** A range of native memory: its JavaScript view and its address. */
export interface Shared<View> {
  readonly values: View
  readonly address: Address
}

/** Data that changes from step to step, at fixed addresses so that bindings stay valid: small inputs and the logits. */
export class StepBuffers {
  /** int64 [B] or [S]. */
  readonly tokenIds: Shared<BigInt64Array>
  /** int64, shaped like the token ids: the position of each in its row. */
  readonly positions: Shared<BigInt64Array>
  /** int64 [R]. */
  readonly logitIndices: Shared<BigInt64Array>
  /** int32 [B]: the kernel's `seqlens_k`, the row's length after the step minus one. */
  readonly lastIndices: Shared<Int32Array>
  /** int32 [1]: length of the longest row after the step. */
  readonly totalLength: Shared<Int32Array>
  /** float32 [R, V]. */
  readonly logits: Shared<Float32Array>
  readonly #memory: PagedMemory
  readonly #ranges: { readonly buffer: ArrayBuffer; readonly address: Address; readonly bytes: number }[] = []

  constructor(memory: PagedMemory, { slots, chunkTokens, vocabularySize }: StepShape) {
    this.#memory = memory
    const tokens = Math.max(slots, chunkTokens)
    this.tokenIds = this.#share(BigInt64Array, tokens)
    this.positions = this.#share(BigInt64Array, tokens)
    this.logitIndices = this.#share(BigInt64Array, tokens)
    this.lastIndices = this.#share(Int32Array, slots)
    this.totalLength = this.#share(Int32Array, 1)
    this.logits = this.#share(Float32Array, tokens * vocabularySize)
  }

  /** Detaches all views, also those that callers still hold. */
  free(): void {
    for (const { buffer, address, bytes } of this.#ranges) {
      buffer.transfer(0)
      this.#memory.free(address, bytes)
    }
  }

  #share<View>(Kind: { new (buffer: ArrayBuffer): View; readonly BYTES_PER_ELEMENT: number }, length: number): Shared<View> {
    const bytes = length * Kind.BYTES_PER_ELEMENT
    const address = this.#memory.reserve(bytes)
    const buffer = this.#memory.view(address, bytes)
    this.#ranges.push({ buffer, address, bytes })
    return { values: new Kind(buffer), address }
  }
}
