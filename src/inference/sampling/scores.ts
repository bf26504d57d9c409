import { argmax } from './argmax.ts'
import { negligible, sumExponentials } from './exponential.ts'

/** Represents -inf in responses: JSON has no infinities, and OpenAI's API uses this number. */
const IMPOSSIBLE = -9999

export interface TokenLogprobs {
  /** Natural log; the same float as in `top`, if `top` contains the token. */
  readonly logprob: number
  /**
   * Most likely first, among equals the lowest id first. Impossible tokens are listed only if they were selected by id.
   */
  readonly top: readonly { readonly tokenId: number; readonly logprob: number }[]
}

/**
 * Log-softmax of raw logits for one token and its alternatives.
 *
 * @param logits  float32 [V], before temperature, penalties and filters; not modified. NaN counts as -inf
 * @param selection  `top`: the number of alternatives, small, as an insertion sort finds them; `only`: ids to list
 *   instead, unless empty
 * @throws {ServiceError} `engine_failure` when no logit is finite, or one is +inf
 */
export function scoreToken(
  logits: Float32Array,
  tokenId: number,
  selection: { readonly top: number; readonly only?: readonly number[] }
): TokenLogprobs {
  const max = logits[argmax(logits)] ?? 0
  const logTotal = Math.log(sumExponentials(logits, max, 1, max - negligible(logits.length), 0, logits.length))
  const toLogprob = (id: number): number => {
    const logprob = (logits[id] ?? Number.NaN) - max - logTotal
    return Number.isFinite(logprob) ? logprob : IMPOSSIBLE
  }
  const { top, only = [] } = selection
  const alternatives = (only.length > 0 ? only : topIds(logits, top)).map(id => ({ tokenId: id, logprob: toLogprob(id) }))
  if (only.length > 0) alternatives.sort((a, b) => b.logprob - a.logprob || a.tokenId - b.tokenId)
  return { logprob: toLogprob(tokenId), top: alternatives }
}

/** Rank of a token by logit, 1 for the highest; equal logits share the best rank. */
export function rankOf(logits: Float32Array, tokenId: number): number {
  const own = logits[tokenId] ?? Number.NaN
  let above = 0
  for (let id = 0; id < logits.length; id++) above += Number((logits[id] ?? 0) > own)
  return above + 1
}

/** Ids of the `count` highest logits, highest first, among equals the lowest id first, without -inf and NaN. */
function topIds(logits: Float32Array, count: number): readonly number[] {
  const ids: number[] = []
  if (count === 0) return ids
  const values: number[] = []
  let floor = Number.NEGATIVE_INFINITY
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] ?? 0
    if (!(logit > floor)) continue
    let at = ids.length === count ? count - 1 : ids.length
    for (; at > 0 && (values[at - 1] ?? 0) < logit; at--) {
      values[at] = values[at - 1] ?? 0
      ids[at] = ids[at - 1] ?? 0
    }
    values[at] = logit
    ids[at] = id
    if (ids.length === count) floor = values[count - 1] ?? 0
  }
  return ids
}
