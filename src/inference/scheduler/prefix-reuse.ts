/**
 * A reused prefix leaves two tokens at least: the rest is a prefill chunk, never a single step, which is another
 * numeric class.
 */
const MIN_COMPUTED_TOKENS = 2

/** Positions of an admitted prompt that are computed already. */
export interface ReuseState {
  /** Upper bound, from `reusableTokens`. */
  readonly reusableTokens: number
  /** Length of the longest stored prefix, at most `reusableTokens`. */
  readonly storedTokens: number
  /** Positions of the row that a killed process left of the same choice; 0: there is none. */
  readonly orphanedTokens: number
  /** false where the machine's prefill is not bit-equal for every cut into chunks. */
  readonly reusePrefixes: boolean
}

/** Where an admitted prompt's first positions come from. */
export interface ReusePlan {
  /** Positions taken from the orphaned row; 0: it is dropped. */
  readonly orphanedTokens: number
  /** Positions copied from stored prefixes, if none can be taken from the orphaned row. */
  readonly storedTokens: number
}

/** @param isScored  the logits of all positions are needed */
export function reusableTokens(promptTokens: number, isScored: boolean): number {
  return isScored ? 0 : Math.max(0, promptTokens - MIN_COMPUTED_TOKENS)
}

/**
 * The longer of the two is taken. Where cuts matter, an orphaned row is taken whole or not at all: it was cut where
 * this prompt's own chunks end.
 */
export function planReuse({ reusableTokens, storedTokens, orphanedTokens, reusePrefixes }: ReuseState): ReusePlan {
  const usable = Math.min(orphanedTokens, reusableTokens)
  const isTaken = usable > storedTokens && (reusePrefixes || usable === orphanedTokens)
  return { orphanedTokens: isTaken ? usable : 0, storedTokens }
}
