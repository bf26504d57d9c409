/** Groups into which the vocabulary is divided. */
export const RANK_GROUPS = 1024

/**
 * A logit that at least `rank` tokens reach, at the price of one cheap pass: the highest logits of groups of neighbours stand for their groups, and
 * the rank-th among those has at least rank - 1 others above it. Near to the rank-th logit itself when `rank` is far below the number of groups.
 *
 * @param maxima  scratch, float32 [RANK_GROUPS]
 * @returns       -inf where there are fewer groups than `rank`
 */
export function rankFloor(logits: Float32Array, rank: number, maxima: Float32Array): number {
  const groupTokens = Math.ceil(logits.length / RANK_GROUPS)
  const groups = Math.ceil(logits.length / groupTokens)
  if (rank > groups) return Number.NEGATIVE_INFINITY
  for (let group = 0; group < groups; group++) {
    const end = Math.min((group + 1) * groupTokens, logits.length)
    let max = Number.NEGATIVE_INFINITY
    for (let tokenId = group * groupTokens; tokenId < end; tokenId++) {
      const logit = logits[tokenId] ?? 0
      if (logit > max) max = logit
    }
    maxima[group] = max
  }
  return maxima.subarray(0, groups).sort()[groups - rank] ?? Number.NEGATIVE_INFINITY
}
