import { invariant } from '../contract/invariant.ts'
import type { ModelRunner } from '../contract/model-runner.ts'
import { DecoderSession, type SessionOptions } from './decoder-session.ts'
import { KvCache } from './kv-cache.ts'
import { StepBuffers } from './step-buffers.ts'
import { type Address, SystemMemory } from './system-memory.ts'

export interface ModelRunnerOptions extends SessionOptions {
  readonly layers: number
  readonly kvHeads: number
  readonly headDim: number
  readonly vocabularySize: number
  /** Positions of a row: the cache's capacity. */
  readonly contextLength: number
  readonly slots: number
}

/** Most tokens of one prefill run. */
export const MAX_CHUNK_TOKENS = 512

/** Loads the graph and reserves the cache; the graph's inputs and outputs are those of `inference/graph`. */
export async function openModelRunner(options: ModelRunnerOptions): Promise<ModelRunner> {
  return new OnnxModelRunner(await DecoderSession.open(options), new SystemMemory(), options)
}

class OnnxModelRunner implements ModelRunner {
  readonly vocabularySize: number
  readonly contextLength: number
  readonly slots: number
  readonly #session: DecoderSession
  readonly #cache: KvCache
  readonly #buffers: StepBuffers
  readonly #layers: number
  readonly #tensors: Address[] = []
  /** Bindings by number of rows, and by row: the cache's tensors stay bound. */
  readonly #decodeBindings = new Map<number, Address>()
  readonly #prefillBindings = new Map<number, Address>()
  #isRunning = false

  constructor(session: DecoderSession, memory: SystemMemory, options: ModelRunnerOptions) {
    this.vocabularySize = options.vocabularySize
    this.contextLength = options.contextLength
    this.slots = options.slots
    this.#layers = options.layers
    this.#session = session
    this.#cache = new KvCache(memory, { ...options, capacity: options.contextLength })
    this.#buffers = new StepBuffers(memory, { ...options, chunkTokens: MAX_CHUNK_TOKENS })
  }

  get cacheBytesPerToken(): number {
    return this.#cache.bytesPerToken
  }

  async prefill(row: number, past: number, tokenIds: readonly number[], wanted: readonly number[]): Promise<Float32Array> {
    const total = past + tokenIds.length
    invariant(row >= 0 && row < this.slots, `there is no row ${row}`)
    invariant(tokenIds.length >= 2 || (tokenIds.length === 1 && past === 0), 'a prefill takes two tokens or more, or a whole prompt of one')
    invariant(
      tokenIds.length <= MAX_CHUNK_TOKENS && total <= this.contextLength,
      `positions ${past}..${total} exceed the chunk or the context`
    )
    const binding = this.#prefillBinding(row)
    const buffers = this.#buffers
    buffers.tokenIds.set(tokenIds.map(BigInt))
    buffers.positions.set(tokenIds.map((_, index) => BigInt(past + index)))
    buffers.logitIndices.set(wanted.map(BigInt))
    buffers.lastIndices[0] = total - 1
    buffers.totalLength[0] = total
    const once = [
      this.#bindStep(binding, 'input_ids', 'int64', buffers.address('tokenIds'), [1, tokenIds.length]),
      this.#bindStep(binding, 'position_ids', 'int64', buffers.address('positions'), [1, tokenIds.length]),
      this.#bindStep(binding, 'logit_indices', 'int64', buffers.address('logitIndices'), [wanted.length]),
      this.#bindLogits(binding, wanted.length)
    ]
    try {
      this.#cache.touch(row, total)
      return await this.#run(binding, wanted.length)
    } finally {
      for (const value of once) if (value !== null) this.#session.releaseTensor(value)
    }
  }

  async decode(tokenIds: readonly number[], pasts: readonly number[]): Promise<Float32Array> {
    const rows = tokenIds.length
    invariant(rows >= 1 && rows <= this.slots && pasts.length === rows, `a decode step of ${rows} rows with ${pasts.length} pasts`)
    const binding = this.#decodeBinding(rows)
    const buffers = this.#buffers
    let longest = 0
    for (let row = 0; row < rows; row++) {
      const past = pasts[row] ?? 0
      invariant(past >= 1 && past < this.contextLength, `row ${row} has a past of ${past}, the context holds ${this.contextLength}`)
      buffers.tokenIds[row] = BigInt(tokenIds[row] ?? 0)
      buffers.positions[row] = BigInt(past)
      buffers.logitIndices[row] = BigInt(row)
      buffers.lastIndices[row] = past
      this.#cache.touch(row, past + 1)
      longest = Math.max(longest, past + 1)
    }
    buffers.totalLength[0] = longest
    return await this.#run(binding, rows)
  }

  copyRow(from: number, to: number, positions: number): void {
    invariant(!this.#isRunning, 'the cache is moved during a run')
    invariant(Math.max(from, to) < this.slots && Math.min(from, to) >= 0 && positions <= this.contextLength, 'a copy outside the cache')
    this.#cache.copyRow(from, to, positions)
  }

  releaseRow(row: number): void {
    invariant(!this.#isRunning, 'the cache is given back during a run')
    this.#cache.releaseRow(row)
  }

  terminate(): void {
    if (this.#isRunning) this.#session.terminate()
  }

  close(): void {
    invariant(!this.#isRunning, 'the session is closed during a run')
    for (const binding of [...this.#decodeBindings.values(), ...this.#prefillBindings.values()]) this.#session.closeBinding(binding)
    for (const value of this.#tensors) this.#session.releaseTensor(value)
    this.#session.close()
    this.#cache.free()
    this.#buffers.free()
  }

  /** @returns logits [R, V], a view that the next run overwrites */
  async #run(binding: Address, wanted: number): Promise<Float32Array> {
    invariant(!this.#isRunning, 'two runs at once')
    this.#isRunning = true
    try {
      await this.#session.run(binding)
    } finally {
      this.#isRunning = false
    }
    return this.#buffers.logits.subarray(0, wanted * this.vocabularySize)
  }

  #decodeBinding(rows: number): Address {
    const known = this.#decodeBindings.get(rows)
    if (known !== undefined) return known
    const binding = this.#openBinding(0, rows)
    const step = [
      this.#bindStep(binding, 'input_ids', 'int64', this.#buffers.address('tokenIds'), [rows, 1]),
      this.#bindStep(binding, 'position_ids', 'int64', this.#buffers.address('positions'), [rows, 1]),
      this.#bindStep(binding, 'logit_indices', 'int64', this.#buffers.address('logitIndices'), [rows]),
      this.#bindLogits(binding, rows)
    ]
    this.#tensors.push(...step.filter(value => value !== null))
    this.#decodeBindings.set(rows, binding)
    return binding
  }

  #prefillBinding(row: number): Address {
    const known = this.#prefillBindings.get(row)
    if (known !== undefined) return known
    const binding = this.#openBinding(row, 1)
    this.#prefillBindings.set(row, binding)
    return binding
  }

  /** Binds rows `first`..`first + rows - 1` of the cache, past and present on the same memory, and the lengths. */
  #openBinding(first: number, rows: number): Address {
    const binding = this.#session.openBinding()
    const { kvHeads, capacity, headDim } = this.#cache.shape
    for (let layer = 0; layer < this.#layers; layer++) {
      for (const [side, word] of ['key', 'value'].entries()) {
        const address = this.#cache.address(layer, side === 0 ? 0 : 1, first)
        const value = this.#session.tensor('float32', address, [rows, kvHeads, capacity, headDim])
        this.#tensors.push(value)
        this.#session.bindInput(binding, `past_key_values.${layer}.${word}`, value)
        this.#session.bindOutput(binding, `present.${layer}.${word}`, value)
      }
    }
    const lengths = [
      this.#bindStep(binding, 'seqlens_k', 'int32', this.#buffers.address('lastIndices'), [rows]),
      this.#bindStep(binding, 'total_sequence_length', 'int32', this.#buffers.address('totalLength'), [1])
    ]
    this.#tensors.push(...lengths.filter(value => value !== null))
    return binding
  }

  /** @returns the tensor, to be released by the caller; null if the graph has no such input */
  #bindStep(binding: Address, name: string, type: 'int32' | 'int64', address: Address, shape: readonly number[]): Address | null {
    if (!this.#session.inputNames.includes(name)) return null
    const value = this.#session.tensor(type, address, shape)
    this.#session.bindInput(binding, name, value)
    return value
  }

  #bindLogits(binding: Address, wanted: number): Address {
    const value = this.#session.tensor('float32', this.#buffers.address('logits'), [wanted, this.vocabularySize])
    this.#session.bindOutput(binding, 'logits', value)
    return value
  }
}
