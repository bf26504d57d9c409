import { ServiceError } from '../contract/errors.ts'
import type { CacheScales } from './cache-scales.ts'
import type { DecoderSession, ElementType } from './decoder-session.ts'
import type { CacheSide, KvCache } from './kv-cache.ts'
import type { Address } from './memory/paged-memory.ts'
import type { StepBuffers } from './step-buffers.ts'

const SIDES: readonly CacheSide[] = ['key', 'value']

/** The memory that is bound. */
export interface BoundMemory {
  readonly cache: KvCache
  /** null where the cache is float32. */
  readonly scales: CacheScales | null
  readonly buffers: StepBuffers
}

/** The inputs and outputs of one run, which the caller releases after it. */
export interface OneRun {
  readonly binding: Address
  release(): void
}

/**
 * Binds the graph's inputs and outputs to the cache and the step buffers, once for each shape. Nothing is copied for a
 * run: `present` is bound to the same tensor as `past`, so that the kernel appends in place.
 */
export class RowBindings {
  readonly #session: DecoderSession
  readonly #cache: KvCache
  readonly #scales: CacheScales | null
  readonly #buffers: StepBuffers
  readonly #vocabularySize: number
  readonly #tensors: Address[] = []
  /** All opened bindings, also those whose tensors could not be bound. */
  readonly #opened: Address[] = []
  /** Bindings of decode steps, by number of rows. */
  readonly #decode = new Map<number, Address>()
  /** Bindings of prefill runs, by row: its cache and lengths stay bound, tokens and logits change from run to run. */
  readonly #prefill = new Map<number, Address>()

  /** @throws {ServiceError} `engine_failure` when the graph lacks an input, or has one that is not bound here */
  constructor(session: DecoderSession, { cache, scales, buffers }: BoundMemory, vocabularySize: number) {
    this.#session = session
    this.#cache = cache
    this.#scales = scales
    this.#buffers = buffers
    this.#vocabularySize = vocabularySize
    const layers = Array.from({ length: cache.shape.layers }, (_, layer) => layer)
    const names = scales === null ? [pastName] : [pastName, scaleName]
    const caches = names.flatMap(name => layers.flatMap(layer => SIDES.map(side => name(layer, side))))
    const known = new Set([...STEP_INPUTS, ...caches])
    const unknown = session.inputNames.find(name => !known.has(name))
    if (unknown !== undefined) throw new ServiceError('engine_failure', `the graph has an unknown input "${unknown}"`)
    try {
      this.decode(1)
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** The binding of a decode step: rows 0..`rows`-1, one token and one row of logits each. */
  decode(rows: number): Address {
    const known = this.#decode.get(rows)
    if (known !== undefined) return known
    const binding = this.#open()
    this.#bindCache(binding, 0, rows)
    this.#bindTokens(binding, rows, 1, rows, this.#tensors)
    this.#decode.set(rows, binding)
    return binding
  }

  /** The binding of a prefill run: `tokens` tokens of one row, and `logitRows` rows of logits. */
  prefill(row: number, tokens: number, logitRows: number): OneRun {
    let binding = this.#prefill.get(row)
    if (binding === undefined) {
      binding = this.#open()
      this.#bindCache(binding, row, 1)
      this.#prefill.set(row, binding)
    }
    const tensors: Address[] = []
    const release = (): void => {
      for (const tensor of tensors) this.#session.releaseTensor(tensor)
    }
    try {
      this.#bindTokens(binding, 1, tokens, logitRows, tensors)
    } catch (error) {
      release()
      throw error
    }
    return { binding, release }
  }

  close(): void {
    for (const binding of this.#opened) this.#session.closeBinding(binding)
    for (const tensor of this.#tensors) this.#session.releaseTensor(tensor)
  }

  #open(): Address {
    const binding = this.#session.openBinding()
    this.#opened.push(binding)
    return binding
  }

  /** Binds rows `first`..`first + rows - 1` of the cache, and their lengths. */
  #bindCache(binding: Address, first: number, rows: number): void {
    const { layers, kvHeads, capacity, headDim, cacheType } = this.#cache.shape
    const element = cacheType === 'int8' ? 'int8' : 'float32'
    for (let layer = 0; layer < layers; layer++) {
      for (const side of SIDES) {
        const tensor = this.#session.tensor(element, this.#cache.address(layer, side, first), [rows, kvHeads, capacity, headDim])
        this.#tensors.push(tensor)
        this.#session.bindInput(binding, pastName(layer, side), tensor)
        this.#session.bindOutput(binding, `present.${layer}.${side}`, tensor)
        if (this.#scales !== null) {
          this.#bindInput(binding, scaleName(layer, side), 'float32', this.#scales.address(layer, side), [1], this.#tensors)
        }
      }
    }
    const { lastIndices, totalLength } = this.#buffers
    this.#bindInput(binding, 'seqlens_k', 'int32', lastIndices.address, [rows], this.#tensors)
    this.#bindInput(binding, 'total_sequence_length', 'int32', totalLength.address, [1], this.#tensors)
  }

  /** @param owned  receives the created tensors, which the caller releases, even after a failure */
  #bindTokens(binding: Address, rows: number, tokens: number, logitRows: number, owned: Address[]): void {
    const { tokenIds, positions, logitIndices, logits } = this.#buffers
    this.#bindInput(binding, 'input_ids', 'int64', tokenIds.address, [rows, tokens], owned)
    this.#bindInput(binding, 'logit_indices', 'int64', logitIndices.address, [logitRows], owned)
    // Rotary kernels derive a token's position from the lengths; only learned positions are an input.
    if (this.#session.inputNames.includes('position_ids')) {
      this.#bindInput(binding, 'position_ids', 'int64', positions.address, [rows, tokens], owned)
    }
    const output = this.#session.tensor('float32', logits.address, [logitRows, this.#vocabularySize])
    owned.push(output)
    this.#session.bindOutput(binding, 'logits', output)
  }

  #bindInput(binding: Address, name: string, type: ElementType, address: Address, shape: readonly number[], owned: Address[]): void {
    const tensor = this.#session.tensor(type, address, shape)
    owned.push(tensor)
    this.#session.bindInput(binding, name, tensor)
  }
}

const STEP_INPUTS = ['input_ids', 'position_ids', 'seqlens_k', 'total_sequence_length', 'logit_indices']

function pastName(layer: number, side: CacheSide): string {
  return `past_key_values.${layer}.${side}`
}

function scaleName(layer: number, side: CacheSide): string {
  return `cache_scale.${layer}.${side}`
}
