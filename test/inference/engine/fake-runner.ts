import { ServiceError } from '../../../src/inference/contract/errors.ts'
import { invariant } from '../../../src/inference/contract/invariant.ts'
import { BLOCK_TOKENS, type ModelRunner, type OrphanedCache, ROW_HEADER_BYTES } from '../../../src/inference/contract/model-runner.ts'

export interface FakeRunnerOptions {
  readonly slots?: number
  readonly blocks?: number
  readonly contextLength?: number
  readonly vocabularySize?: number
  /** Single steps have the numeric class of prompts. */
  readonly oneClass?: boolean
  /** The cache that a runner of the same shape left. */
  readonly content?: CacheContent
}

/** A cache that outlives its runner. */
export type CacheContent = Pick<FakeRunner, 'cache' | 'rowHeaders'>

export interface Step {
  readonly kind: 'prefill' | 'decode'
  readonly rows: number
  readonly tokens: number
}

/**
 * A model whose cache contains the tokens: logits are a function of all tokens of the row up to the position, so that a
 * token in a wrong row, position or numeric class changes all results.
 */
export class FakeRunner implements ModelRunner {
  readonly slots: number
  readonly contextLength: number
  readonly vocabularySize: number
  readonly cacheBytesPerToken = 1
  readonly rows: number
  readonly blocks: number
  /** By block; absent blocks are empty. */
  readonly stored = new Map<number, readonly number[]>()
  readonly cache: number[][]
  readonly rowHeaders: ArrayBuffer
  readonly steps: Step[] = []
  /** Awaited before a run ends, so that a test can inspect the state during a run. */
  gate: Promise<void> = Promise.resolve()
  /** Called before and after every change of the cache: instants at which a process may be killed. */
  onInstant: () => void = () => {}
  failNext = false
  /** After this token, all logits of its row are NaN. */
  brokenBy = Number.NaN
  isClosed = false
  readonly #stepMark: number
  #inFlight = false

  constructor({ slots = 4, blocks = 40, contextLength = 256, vocabularySize = 32, oneClass = false, content }: FakeRunnerOptions = {}) {
    this.#stepMark = oneClass ? 0 : 0.5
    this.slots = slots
    this.contextLength = contextLength
    this.vocabularySize = vocabularySize
    this.rows = slots + 1
    this.blocks = blocks
    this.cache = content?.cache ?? Array.from({ length: this.rows }, () => [])
    this.rowHeaders = content?.rowHeaders ?? new ArrayBuffer(ROW_HEADER_BYTES * (this.rows + 1))
  }

  prefill(row: number, past: number, tokenIds: readonly number[], logitIndices: readonly number[]): Promise<Float32Array> {
    invariant(tokenIds.length >= 2 || past === 0, 'a single token after a past')
    return this.#run({ kind: 'prefill', rows: 1, tokens: tokenIds.length }, () => {
      const cache = this.#cache(row)
      invariant(cache.length >= past, `row ${row} holds ${cache.length} positions, not ${past}`)
      cache.splice(past, cache.length, ...tokenIds)
      // A single row of logits is another numeric class than several rows.
      const end = logitIndices.length === 1 ? [0.25] : []
      return this.#logits(logitIndices.map(index => [...cache.slice(0, past + index + 1), ...end]))
    })
  }

  decode(tokenIds: readonly number[], pasts: readonly number[]): Promise<Float32Array> {
    invariant(tokenIds.length >= 1 && tokenIds.length === pasts.length && tokenIds.length <= this.slots, 'decode of a wrong number of rows')
    return this.#run({ kind: 'decode', rows: tokenIds.length, tokens: tokenIds.length }, () =>
      this.#logits(
        tokenIds.map((tokenId, row) => {
          const past = pasts[row] ?? 0
          const cache = this.#cache(row)
          invariant(past >= 1, 'a decode step of a row without a past')
          // Only a dummy row may lack its past: in any other row, the filler changes the result.
          while (cache.length < past) cache.push(-1)
          // Generated tokens are another numeric class than prompt tokens.
          cache.splice(past, cache.length, tokenId + this.#stepMark)
          return [...cache]
        })
      )
    )
  }

  copyRow(from: number, to: number, positions: number): void {
    invariant(!this.#inFlight, 'a row was copied during a run')
    const source = this.#cache(from)
    invariant(source.length >= positions, `row ${from} holds ${source.length} positions, not ${positions}`)
    this.onInstant()
    this.#cache(to).splice(0, Number.POSITIVE_INFINITY, ...source.slice(0, positions))
    this.onInstant()
  }

  /** The cache of another runner. */
  orphanedCacheOf({ cache, rowHeaders }: CacheContent): OrphanedCache {
    return {
      rowHeaders: () => {
        this.onInstant()
        return rowHeaders.slice()
      },
      copyRow: (from, to, positions) => {
        invariant(!this.#inFlight, 'a row was brought during a run')
        this.onInstant()
        const row = cache[from] ?? []
        this.#cache(to).splice(0, Number.POSITIVE_INFINITY, ...row.slice(0, positions))
        this.onInstant()
        return row.length >= positions
      }
    }
  }

  releaseRow(row: number): void {
    invariant(!this.#inFlight, 'a row was released during a run')
    this.onInstant()
    this.#cache(row).length = 0
    this.onInstant()
  }

  saveBlock(row: number, from: number, block: number): void {
    invariant(!this.#inFlight && block < this.blocks && !this.stored.has(block), `block ${block} is in use, or there is none`)
    const tokens = this.#cache(row).slice(from, from + BLOCK_TOKENS)
    invariant(tokens.length === BLOCK_TOKENS, `row ${row} does not hold the block at ${from}`)
    this.stored.set(block, tokens)
  }

  /** Positions before the block may be filled later. */
  loadBlock(block: number, row: number, to: number): void {
    const tokens = this.stored.get(block)
    invariant(!this.#inFlight && tokens !== undefined, `there is nothing in block ${block}`)
    this.onInstant()
    const cache = this.#cache(row)
    while (cache.length < to) cache.push(-1)
    cache.splice(to, BLOCK_TOKENS, ...tokens)
    this.onInstant()
  }

  releaseBlock(block: number): void {
    invariant(!this.#inFlight && this.stored.delete(block), `block ${block} is released and holds nothing`)
  }

  terminate(): void {}

  close(): void {
    invariant(!this.#inFlight, 'closed during a run')
    this.isClosed = true
  }

  async #run(step: Step, run: () => Float32Array): Promise<Float32Array> {
    invariant(!this.#inFlight, 'two runs at once')
    this.#inFlight = true
    try {
      await this.gate
      if (this.failNext) {
        this.failNext = false
        throw new ServiceError('engine_failure', 'the fake fails on request')
      }
      this.steps.push(step)
      this.onInstant()
      const logits = run()
      this.onInstant()
      return logits
    } finally {
      this.#inFlight = false
    }
  }

  #logits(histories: readonly (readonly number[])[]): Float32Array {
    const logits = new Float32Array(histories.length * this.vocabularySize)
    histories.forEach((history, row) => {
      let state = 2166136261
      if (history.some(token => Math.floor(token) === this.brokenBy)) {
        logits.fill(Number.NaN, row * this.vocabularySize, (row + 1) * this.vocabularySize)
        return
      }
      for (const token of history) state = Math.imul(state ^ (token * 4 + 1), 16777619)
      for (let id = 0; id < this.vocabularySize; id++) {
        state = Math.imul(state ^ (state >>> 15) ^ id, 2246822519)
        logits[row * this.vocabularySize + id] = ((state >>> 8) / 2 ** 24) * 8
      }
    })
    return logits
  }

  #cache(row: number): number[] {
    const cache = this.cache[row]
    invariant(cache !== undefined, `there is no row ${row}`)
    return cache
  }
}
