import type { EngineDescription } from './engine.ts'

/** Size of one row's header in `ModelRunner.rowHeaders`. */
export const ROW_HEADER_BYTES = 64

/** Positions in one block of the prefix store. */
export const BLOCK_TOKENS = 32

/**
 * The cache of a process that has ended, of the same shape as the runner's. Its successor may write there at any time.
 */
export interface OrphanedCache {
  /** Its current `ModelRunner.rowHeaders`; null where there are none, or none any more. */
  rowHeaders(): ArrayBuffer | null
  /**
   * Copies the first `positions` positions of one of its rows over those of a row of the runner. Between runs.
   *
   * @returns false where they cannot be read: the target's content is then undefined
   */
  copyRow(from: number, to: number, positions: number): boolean
}

/**
 * The model as the engine sees it: rows of a batch, each with its own key/value cache, and one native run at a time.
 *
 * Letters: B rows in a run, R rows of logits, V vocabulary size.
 * `past` counts the positions of a row that are already in its cache.
 */
export interface ModelRunner extends Pick<EngineDescription, 'vocabularySize' | 'contextLength' | 'slots' | 'cacheBytesPerToken'> {
  /**
   * Number of rows, identified by their indexes. Runs compute rows 0..slots-1 of `contextLength` positions each; those
   * from `slots` on only store moved content.
   */
  readonly rows: number
  /**
   * Number of blocks: copies of BLOCK_TOKENS positions, stored outside the rows. Unlike the rows they end with this
   * process.
   */
  readonly blocks: number
  /**
   * ROW_HEADER_BYTES for each row and once more for all rows together; zeros at first. Exists as long as the cache: the
   * owner of the rows records their content here.
   */
  readonly rowHeaders: ArrayBuffer

  /**
   * Computes `tokenIds` of one row after its `past` positions. Two or more tokens, or exactly one if `past` is 0: a
   * single token after a past is a decode step, another numeric class.
   *
   * @param logitIndices  indexes into `tokenIds` after which logits are computed, ascending; may be empty
   * @returns             float32 [R, V], raw logits. The buffer is reused: read it before the next call
   * @throws {ServiceError} `engine_failure` when the native runtime fails; the row's new positions are then undefined
   */
  prefill(row: number, past: number, tokenIds: readonly number[], logitIndices: readonly number[]): Promise<Float32Array>

  /**
   * Computes one token for each of the rows 0..B-1, B ≥ 1; `pasts[b]` ≥ 1.
   *
   * @returns float32 [B, V], raw logits. The buffer is reused: read it before the next call
   */
  decode(tokenIds: readonly number[], pasts: readonly number[]): Promise<Float32Array>

  /** Copies the first `positions` positions of a row's cache over those of another. */
  copyRow(from: number, to: number, positions: number): void

  /** Returns the row's memory to the system; its content is lost. */
  releaseRow(row: number): void

  /** Copies positions `from`..`from + BLOCK_TOKENS - 1` of a row into a block. */
  saveBlock(row: number, from: number, block: number): void

  /** Copies a block to positions `to`..`to + BLOCK_TOKENS - 1` of a row. */
  loadBlock(block: number, row: number, to: number): void

  /** Returns the block's memory to the system; its content is lost. */
  releaseBlock(block: number): void

  /** Makes the run in flight fail with `engine_failure` soon; no effect between runs. */
  terminate(): void

  /** Frees all native memory. No run may be in flight. */
  close(): void
}
