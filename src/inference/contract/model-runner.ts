/** Of one row, in `ModelRunner.rowHeaders`. */
export const ROW_HEADER_BYTES = 64

/** Positions of a block of the prefix store. */
export const BLOCK_TOKENS = 32

/** The cache of a process that has ended, of the same shape as ours. Its successor may write there at any time. */
export interface OrphanedCache {
  /** Its `ModelRunner.rowHeaders`, as they are now; null where there are none (any more). */
  rowHeaders(): ArrayBuffer | null
  /**
   * Copies the first `positions` positions of one of its rows over those of one of ours. Between runs.
   *
   * @returns false where they cannot be read: the content of our row is undefined then
   */
  copyRow(from: number, to: number, positions: number): boolean
}

/**
 * The model as the engine sees it: rows of a batch, each with its own key/value cache, and one native run at a time.
 *
 * Letters: B rows in a run, R rows of logits, V vocabulary size.
 * `past` counts the positions of a row that are already in its cache.
 */
export interface ModelRunner {
  readonly vocabularySize: number
  /** Positions that a row can hold. */
  readonly contextLength: number
  /** Rows that runs work on: 0..slots-1. */
  readonly slots: number
  /**
   * Rows there are: those from `slots` on take part in no run and only store moved content. A row is named by its
   * index.
   */
  readonly rows: number
  /**
   * Copies of BLOCK_TOKENS positions that can be kept beside the rows: blocks 0..blocks-1. Unlike the rows they end
   * with this process.
   */
  readonly blocks: number
  readonly cacheBytesPerToken: number
  /**
   * ROW_HEADER_BYTES for each row and as many for all rows together; zeros at first. Lives as long as the cache: the
   * owner of the rows records here what they hold.
   */
  readonly rowHeaders: ArrayBuffer

  /**
   * Computes `tokenIds` of one row behind its `past` positions. Two or more tokens, or exactly one if `past` is 0: a
   * lone token behind a past is a decode step, another numeric class.
   *
   * @param logitIndices  indexes into `tokenIds` after which logits are computed, ascending; may be empty
   * @returns             float32 [R, V], raw logits. The buffer is reused: read it before the next call
   * @throws {ServiceError} `engine_failure` when the native runtime refuses; the row's new positions are then undefined
   */
  prefill(row: number, past: number, tokenIds: readonly number[], logitIndices: readonly number[]): Promise<Float32Array>

  /**
   * One token for each of the rows 0..B-1, B ≥ 1; `pasts[b]` ≥ 1.
   *
   * @returns float32 [B, V], raw logits. The buffer is reused: read it before the next call
   */
  decode(tokenIds: readonly number[], pasts: readonly number[]): Promise<Float32Array>

  /** Copies the first `positions` positions of a row's cache over those of another. */
  copyRow(from: number, to: number, positions: number): void

  /** The row's content is not needed any more: its memory goes back to the system. */
  releaseRow(row: number): void

  /** Copies positions `from`..`from + BLOCK_TOKENS - 1` of a row into a block. */
  saveBlock(row: number, from: number, block: number): void

  /** Copies a block to positions `to`..`to + BLOCK_TOKENS - 1` of a row. */
  loadBlock(block: number, row: number, to: number): void

  /** The block's content is not needed any more: its memory goes back to the system. */
  releaseBlock(block: number): void

  /** Makes the run in flight fail with `engine_failure` soon; harmless between runs. */
  terminate(): void

  /** Frees everything native. No run may be in flight. */
  close(): void
}
