import { exponential, sumExponentials } from './exponential.ts'
import { BLOCK_TOKENS } from './sampling-scratch.ts'

/**
 * Inverse of the cumulative distribution over the whole vocabulary, in the order of ids: the first token whose cumulated weight exceeds
 * noise × total. Sums per block first, so that no weight is stored and only one block's weights are computed twice.
 *
 * @param logits     float32 [V]
 * @param max        the highest of them
 * @param cut        logits below weigh nothing
 * @param blockSums  scratch, float64 [V / BLOCK_TOKENS]
 * @param noise      in [0, 1)
 */
export function drawFromLogits(
  logits: Float32Array,
  max: number,
  inverseTemperature: number,
  cut: number,
  blockSums: Float64Array,
  noise: number
): number {
  let total = 0
  for (let block = 0; block < blockSums.length; block++) {
    const from = block * BLOCK_TOKENS
    const sum = sumExponentials(logits, max, inverseTemperature, cut, from, Math.min(from + BLOCK_TOKENS, logits.length))
    blockSums[block] = sum
    total += sum
  }
  let { index: block, rest } = walk(blockSums, blockSums.length, noise * total)
  let last = -1
  for (let tokenId = block * BLOCK_TOKENS; tokenId < Math.min((block + 1) * BLOCK_TOKENS, logits.length); tokenId++) {
    const logit = logits[tokenId] ?? 0
    if (!(logit >= cut)) continue
    last = tokenId
    rest -= exponential((logit - max) * inverseTemperature)
    if (rest < 0) return tokenId
  }
  return last
}

/** The same over `count` candidates with weights; returns a candidate's index. */
export function drawFromWeights(weights: Float64Array, count: number, noise: number): number {
  let total = 0
  for (let index = 0; index < count; index++) total += weights[index] ?? 0
  return walk(weights, count, noise * total).index
}

/** First index whose cumulated weight exceeds `target`, and what of the target is left there; the last weight above 0 where rounding hides it. */
function walk(weights: Float64Array, count: number, target: number): { readonly index: number; readonly rest: number } {
  let rest = target
  let last = { index: 0, rest: 0 }
  for (let index = 0; index < count; index++) {
    const weight = weights[index] ?? 0
    if (rest < weight) return { index, rest }
    rest -= weight
    if (weight > 0) last = { index, rest: weight }
  }
  return last
}
