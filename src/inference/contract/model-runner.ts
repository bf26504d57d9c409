/** Of `ModelRunner.notes`. */
export const ROW_NOTE_BYTES = 64

/** Positions of a block of the prefix store. */
export const BLOCK_TOKENS = 32

/** What lies in the cache of another process, of the same shape as ours, which has ended. Its successor may write there at any time. */
export interface Remains {
  /** Its `ModelRunner.notes`, as they are now; null where there are none, or no more. */
  notes(): ArrayBuffer | null
  /**
   * Copies the first `positions` positions of a row of it over those of a row of ours. Between runs.
   *
   * @returns false where they cannot be had: what is in our row then is undefined
   */
  copyRow(from: number, to: number, positions: number): boolean
}

/**
 * The model as the engine sees it: rows of a batch, each with its own key/value cache, and one native run at a time.
 *
 * Letters: B rows in a run, R wanted logits, V vocabulary size.
 * `past` counts the positions of a row that are already in its cache.
 */
export interface ModelRunner {
  readonly vocabularySize: number
  /** Positions that a row can hold. */
  readonly contextLength: number
  /** Rows that runs work on: 0..slots-1. */
  readonly slots: number
  /** Rows there are: those from `slots` on take part in no run and only hold what had to make room. A row is named by its index. */
  readonly rows: number
  /** Copies of BLOCK_TOKENS positions that can be kept beside the rows: blocks 0..blocks-1. Unlike the rows they end with this process. */
  readonly blocks: number
  readonly cacheBytesPerToken: number
  /**
   * Zeros at first, kept beside the cache and as long as it: ROW_NOTE_BYTES for each row and as many for all rows together.
   * Whoever owns the rows notes here what they hold.
   */
  readonly notes: ArrayBuffer

  /**
   * Computes `tokenIds` of one row behind its `past` positions.
   * Two or more tokens, or exactly one if `past` is 0: a lone token behind a past is a decode step, another numeric class (DESIGN section 4).
   *
   * @param wanted  indexes into `tokenIds` after which logits are wanted, ascending; may be empty
   * @returns       float32 [R, V], raw logits. The buffer is reused: read it before the next call
   * @throws {ServiceError} `engine_failure` when the native runtime refuses; the row's new positions are then undefined
   */
  prefill(row: number, past: number, tokenIds: readonly number[], wanted: readonly number[]): Promise<Float32Array>

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
