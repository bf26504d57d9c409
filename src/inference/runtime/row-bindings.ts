import { ServiceError } from '../contract/errors.ts'
import type { DecoderSession, ElementType } from './decoder-session.ts'
import type { CacheSide, KvCache } from './kv-cache.ts'
import type { Address } from './paged-memory.ts'
import type { StepBuffers } from './step-buffers.ts'

const SIDES: readonly CacheSide[] = ['key', 'value']

/** A run's inputs and outputs, to be released once it has ended. */
export interface OneRun {
  readonly binding: Address
  release(): void
}

/**
 * What the graph's names mean: cache and step buffers, bound once and kept. Nothing is copied for a run;
 * the present is bound to the very tensor of the past, so that the kernel appends in place.
 */
export class RowBindings {
  readonly #session: DecoderSession
  readonly #cache: KvCache
  readonly #buffers: StepBuffers
  readonly #vocabularySize: number
  readonly #tensors: Address[] = []
  /** All that were opened, also those that could not be bound. */
  readonly #opened: Address[] = []
  /** By number of rows; these rows' single tokens. */
  readonly #decode = new Map<number, Address>()
  /** By row: its cache and lengths; the rest changes from run to run. */
  readonly #prefill = new Map<number, Address>()

  /** @throws {ServiceError} `engine_failure` when the graph's names are others, or more, than ours */
  constructor(session: DecoderSession, cache: KvCache, buffers: StepBuffers, vocabularySize: number) {
    this.#session = session
    this.#cache = cache
    this.#buffers = buffers
    this.#vocabularySize = vocabularySize
    const caches = Array.from({ length: cache.shape.layers }, (_, layer) => SIDES.map(side => pastName(layer, side))).flat()
    const known = new Set([...STEP_INPUTS, ...caches])
    const foreign = session.inputNames.find(name => !known.has(name))
    if (foreign !== undefined) throw new ServiceError('engine_failure', `the graph has an input "${foreign}" that we do not know`)
    try {
      this.decode(1)
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Rows 0..`rows`-1, one token each, one row of logits each. */
  decode(rows: number): Address {
    const known = this.#decode.get(rows)
    if (known !== undefined) return known
    const binding = this.#open()
    this.#bindCache(binding, 0, rows)
    this.#bindTokens(binding, rows, 1, rows, this.#tensors)
    this.#decode.set(rows, binding)
    return binding
  }

  /** One row's `tokens` tokens and `logitRows` rows of logits. */
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

  /** Rows `first`..`first + rows - 1` of the cache, and their lengths. */
  #bindCache(binding: Address, first: number, rows: number): void {
    const { layers, kvHeads, capacity, headDim } = this.#cache.shape
    for (let layer = 0; layer < layers; layer++) {
      for (const side of SIDES) {
        const tensor = this.#session.tensor('float32', this.#cache.address(layer, side, first), [rows, kvHeads, capacity, headDim])
        this.#tensors.push(tensor)
        this.#session.bindInput(binding, pastName(layer, side), tensor)
        this.#session.bindOutput(binding, `present.${layer}.${side}`, tensor)
      }
    }
    const { lastIndices, totalLength } = this.#buffers
    this.#bindInput(binding, 'seqlens_k', 'int32', lastIndices.address, [rows], this.#tensors)
    this.#bindInput(binding, 'total_sequence_length', 'int32', totalLength.address, [1], this.#tensors)
  }

  /** @param owned  receives the tensors, to be released by the caller, also of those before a failure */
  #bindTokens(binding: Address, rows: number, tokens: number, logitRows: number, owned: Address[]): void {
    const { tokenIds, positions, logitIndices, logits } = this.#buffers
    this.#bindInput(binding, 'input_ids', 'int64', tokenIds.address, [rows, tokens], owned)
    this.#bindInput(binding, 'logit_indices', 'int64', logitIndices.address, [logitRows], owned)
    // Rotary kernels know a token's position from the lengths; learned positions are looked up.
    if (this.#session.inputNames.includes('position_ids')) {
      this.#bindInput(binding, 'position_ids', 'int64', positions.address, [rows, tokens], owned)
    }
    const output = this.#session.tensor('float32', logits.address, [logitRows, this.#vocabularySize])
    owned.push(output)
    this.#session.bindOutput(binding, 'logits', output)
  }

  #bindInput(binding: Address, name: StepInput, type: ElementType, address: Address, shape: readonly number[], owned: Address[]): void {
    const tensor = this.#session.tensor(type, address, shape)
    owned.push(tensor)
    this.#session.bindInput(binding, name, tensor)
  }
}

const STEP_INPUTS = ['input_ids', 'position_ids', 'seqlens_k', 'total_sequence_length', 'logit_indices'] as const
type StepInput = (typeof STEP_INPUTS)[number]

function pastName(layer: number, side: CacheSide): string {
  return `past_key_values.${layer}.${side}`
}
