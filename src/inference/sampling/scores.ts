import { skippable, sumExponentials } from './exponential.ts'
import { likeliest } from './likeliest.ts'

/** -inf as the wire writes it: JSON has no infinities, and OpenAI's clients know this number. */
const IMPOSSIBLE = -9999

export interface TokenLogprobs {
  /** Natural log; the same float as in `top`, if the token is there. */
  readonly logprob: number
  /** Likeliest first, the lowest id first among equals; impossible tokens are never listed. */
  readonly top: readonly { readonly tokenId: number; readonly logprob: number }[]
}

/**
 * Log-softmax of raw logits at one token, and at the likeliest.
 *
 * @param logits    float32 [V], before temperature, penalties and filters; left as they are. NaN counts as -inf
 * @param topCount  alternatives wanted, small: an insertion sort keeps them
 * @throws {ServiceError} `engine_failure` when no logit is finite, or one is +inf
 */
export function scoreToken(logits: Float32Array, tokenId: number, topCount: number): TokenLogprobs {
  const max = logits[likeliest(logits)] ?? 0
  const logTotal = Math.log(sumExponentials(logits, max, 1, max - skippable(logits.length), 0, logits.length))
  const toLogprob = (id: number): number => {
    const logprob = (logits[id] ?? Number.NaN) - max - logTotal
    return Number.isFinite(logprob) ? logprob : IMPOSSIBLE
  }
  return {
    logprob: toLogprob(tokenId),
    top: topIds(logits, topCount).map(id => ({ tokenId: id, logprob: toLogprob(id) }))
  }
}

/** Ids of the `count` highest logits, highest first, the lowest id first among equals; -inf and NaN never. */
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
