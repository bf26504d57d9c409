/**
 * A reused prefix leaves at least two tokens: the rest must be a prefill chunk, since a single step is another numeric
 * class.
 */
const MIN_COMPUTED_TOKENS = 2

/** Positions of an admitted prompt that are already computed somewhere. */
export interface ReuseState {
  /** Upper bound, from `reusableTokens`. */
  readonly reusableTokens: number
  /** Length of the longest stored prefix, at most `reusableTokens`. */
  readonly storedTokens: number
  /** Positions of the row of the same choice that a killed process left; 0: there is none. */
  readonly orphanedTokens: number
  /** false where prefill on this machine is not bit-equal for all divisions into chunks. */
  readonly reusePrefixes: boolean
}

/** The sources of an admitted prompt's first positions. */
export interface ReusePlan {
  /** Positions taken from the orphaned row; 0: it is dropped. */
  readonly orphanedTokens: number
  /** Positions copied from stored prefixes, if none are taken from the orphaned row. */
  readonly storedTokens: number
}

/** @param isScored  the logits of all positions are needed */
export function reusableTokens(promptTokens: number, isScored: boolean): number {
  return isScored ? 0 : Math.max(0, promptTokens - MIN_COMPUTED_TOKENS)
}

/**
 * Chooses the longer source. Where the division into chunks changes results, an orphaned row is used completely or not
 * at all: its chunks ended where those of this prompt end.
 */
export function planReuse({ reusableTokens, storedTokens, orphanedTokens, reusePrefixes }: ReuseState): ReusePlan {
  const usable = Math.min(orphanedTokens, reusableTokens)
  const isTaken = usable > storedTokens && (reusePrefixes || usable === orphanedTokens)
  return { orphanedTokens: isTaken ? usable : 0, storedTokens }
}
