import { invariant } from '../contract/invariant.ts'
import type { ModelRunner, OrphanedCache } from '../contract/model-runner.ts'
import { CacheScales } from './cache-scales.ts'
import { DecoderSession, type SessionOptions } from './decoder-session.ts'
import { KvBlocks } from './kv-blocks.ts'
import { KvCache, type KvShape } from './kv-cache.ts'
import { openMemory } from './memory/open-memory.ts'
import type { Address } from './memory/paged-memory.ts'
import { RowBindings } from './row-bindings.ts'
import { StepBuffers } from './step-buffers.ts'

/** A block takes addresses from the start, but memory only once it is filled. */
export type ModelRunnerOptions = SessionOptions &
  Pick<KvShape, 'layers' | 'kvHeads' | 'headDim'> &
  Pick<ModelRunner, 'vocabularySize' | 'contextLength' | 'slots' | 'blocks'> & {
    /** Of an int8 cache: see `CacheScales`. null where the graph has a float32 cache. */
    readonly cacheScales: readonly number[] | null
  }

/** A runner whose cache can outlive its process. */
export interface MovableRunner extends ModelRunner {
  /**
   * Moves cache and row headers into this file, where they outlive this process; the file’s content replaces the
   * present content. A file of another size is emptied first. Between runs.
   *
   * @param descriptor  open in this process; from `createCacheFile`
   * @returns false where the system does not support it: nothing has changed then
   */
  moveCacheTo(descriptor: number): boolean

  /** The cache that a runner of the same shape left in its cache file. */
  orphanedCacheIn(descriptor: number): OrphanedCache
}

/** Rows that take the content of an orphaned row whose row is needed. */
const SPARE_ROWS = 1

/** Most tokens of one prefill run. */
export const MAX_CHUNK_TOKENS = 512

/**
 * Loads the graph and reserves the cache; inputs and outputs are as `DecoderGraph` in `inference/graph` defines them.
 *
 * @throws {ServiceError} `unavailable` where ONNX Runtime has no library for this machine, `engine_failure` when it
 *   rejects the graph or the cache cannot be reserved
 */
export async function openModelRunner(options: ModelRunnerOptions): Promise<MovableRunner> {
  using parts = new DisposableStack()
  const session = parts.adopt(await DecoderSession.open(options), session => session.close())
  const memory = openMemory()
  const rows = options.slots + SPARE_ROWS
  const { cacheScales, contextLength: capacity } = options
  const cacheType = cacheScales === null ? 'f32' : 'int8'
  const cache = parts.adopt(new KvCache(memory, { ...options, rows, capacity, cacheType }), cache => cache.free())
  const scales = cacheScales === null ? null : parts.adopt(new CacheScales(memory, cacheScales), scales => scales.free())
  const blocks = parts.adopt(new KvBlocks(memory, cache, options.blocks), blocks => blocks.free())
  const buffers = parts.adopt(new StepBuffers(memory, { ...options, chunkTokens: MAX_CHUNK_TOKENS }), buffers => buffers.free())
  const bindings = parts.adopt(new RowBindings(session, { cache, scales, buffers }, options.vocabularySize), bindings => bindings.close())
  return new OnnxModelRunner(options, { session, cache, blocks, buffers, bindings, all: parts.move() })
}

interface Parts {
  readonly session: DecoderSession
  readonly cache: KvCache
  readonly blocks: KvBlocks
  readonly buffers: StepBuffers
  readonly bindings: RowBindings
  /** Frees all parts in reverse order of creation. */
  readonly all: DisposableStack
}

class OnnxModelRunner implements MovableRunner {
  readonly vocabularySize: number
  readonly contextLength: number
  readonly slots: number
  readonly rows: number
  readonly #parts: Parts
  #state: 'idle' | 'running' | 'closed' = 'idle'

  constructor({ vocabularySize, contextLength, slots }: ModelRunnerOptions, parts: Parts) {
    this.vocabularySize = vocabularySize
    this.contextLength = contextLength
    this.slots = slots
    this.rows = slots + SPARE_ROWS
    this.#parts = parts
  }

  get blocks(): number {
    return this.#parts.blocks.blocks
  }

  get cacheBytesPerToken(): number {
    return this.#parts.cache.bytesPerToken
  }

  get rowHeaders(): ArrayBuffer {
    return this.#parts.cache.rowHeaders
  }

  async prefill(row: number, past: number, tokenIds: readonly number[], logitIndices: readonly number[]): Promise<Float32Array> {
    this.#expectIdle()
    const tokens = tokenIds.length
    const total = past + tokens
    invariant(Number.isInteger(row) && row >= 0 && row < this.slots, `row ${row} cannot be prefilled; there are ${this.slots}`)
    invariant(tokens >= 2 || (tokens === 1 && past === 0), `a prefill of ${tokens} tokens after ${past}`)
    invariant(tokens <= MAX_CHUNK_TOKENS, `a prefill of ${tokens} tokens; a run takes ${MAX_CHUNK_TOKENS}`)
    invariant(past >= 0 && total <= this.contextLength, `positions ${past}..${total} of a row that holds ${this.contextLength}`)
    invariant(isAscendingBelow(logitIndices, tokens), `logit indices [${logitIndices}] of ${tokens} tokens`)

    const { buffers } = this.#parts
    const { positions, lastIndices, totalLength } = buffers
    this.#setTokens(tokenIds)
    for (let index = 0; index < tokens; index++) positions.values[index] = BigInt(past + index)
    for (const [index, position] of logitIndices.entries()) buffers.logitIndices.values[index] = BigInt(position)
    lastIndices.values[0] = total - 1
    totalLength.values[0] = total
    this.#parts.cache.touch(row)
    const once = this.#parts.bindings.prefill(row, tokens, logitIndices.length)
    try {
      return await this.#run(once.binding, logitIndices.length)
    } finally {
      once.release()
    }
  }

  async decode(tokenIds: readonly number[], pasts: readonly number[]): Promise<Float32Array> {
    this.#expectIdle()
    const rows = tokenIds.length
    invariant(rows >= 1 && rows <= this.slots && pasts.length === rows, `a decode step of ${rows} tokens and ${pasts.length} pasts`)

    const { positions, logitIndices, lastIndices, totalLength } = this.#parts.buffers
    this.#setTokens(tokenIds)
    let longest = 0
    for (const [row, past] of pasts.entries()) {
      invariant(past >= 1 && past < this.contextLength, `row ${row} has a past of ${past} and holds ${this.contextLength}`)
      positions.values[row] = BigInt(past)
      logitIndices.values[row] = BigInt(row)
      lastIndices.values[row] = past
      longest = Math.max(longest, past + 1)
      this.#parts.cache.touch(row)
    }
    totalLength.values[0] = longest
    return await this.#run(this.#parts.bindings.decode(rows), rows)
  }

  copyRow(from: number, to: number, positions: number): void {
    this.#expectIdle()
    this.#parts.cache.copyRow(from, to, positions)
  }

  releaseRow(row: number): void {
    this.#expectIdle()
    this.#parts.cache.releaseRow(row)
  }

  saveBlock(row: number, from: number, block: number): void {
    this.#expectIdle()
    this.#parts.blocks.save(row, from, block)
  }

  loadBlock(block: number, row: number, to: number): void {
    this.#expectIdle()
    this.#parts.blocks.load(block, row, to)
  }

  releaseBlock(block: number): void {
    this.#expectIdle()
    this.#parts.blocks.release(block)
  }

  moveCacheTo(descriptor: number): boolean {
    this.#expectIdle()
    return this.#parts.cache.moveTo(descriptor)
  }

  orphanedCacheIn(descriptor: number): OrphanedCache {
    const { cache } = this.#parts
    return {
      rowHeaders: () => cache.rowHeadersIn(descriptor),
      copyRow: (from, to, positions) => {
        this.#expectIdle()
        return cache.readRow(descriptor, from, to, positions)
      }
    }
  }

  terminate(): void {
    if (this.#state === 'running') this.#parts.session.terminate()
  }

  close(): void {
    this.#expectIdle()
    this.#state = 'closed'
    this.#parts.all.dispose()
  }

  /** While a run is in flight, only it may use buffers and cache. */
  #expectIdle(): void {
    invariant(this.#state === 'idle', this.#state === 'running' ? 'the runner is used while a run is in flight' : 'the runner is closed')
  }

  #setTokens(tokenIds: readonly number[]): void {
    const { values } = this.#parts.buffers.tokenIds
    for (const [index, id] of tokenIds.entries()) {
      invariant(id >= 0 && id < this.vocabularySize, `token ${id} is not in a vocabulary of ${this.vocabularySize}`)
      values[index] = BigInt(id)
    }
  }

  /** @returns float32 [logitRows, V] */
  async #run(binding: Address, logitRows: number): Promise<Float32Array> {
    this.#state = 'running'
    try {
      await this.#parts.session.run(binding)
    } finally {
      this.#state = 'idle'
    }
    return this.#parts.buffers.logits.values.subarray(0, logitRows * this.vocabularySize)
  }
}

function isAscendingBelow(indices: readonly number[], bound: number): boolean {
  return indices.every((index, at) => index < bound && index > (at === 0 ? -1 : (indices[at - 1] ?? bound)))
}
