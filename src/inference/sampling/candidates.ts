import { exponentials } from './exponential.ts'
import { BUCKETS, type SamplingScratch } from './sampling-scratch.ts'

/** The tokens that filters have left, ids ascending; their buffers are lent by the scratch. */
export class Candidates {
  readonly #scratch: SamplingScratch
  #count = 0

  /** Those of `logits` [V] that are at least `cut`. No branch: it would be mispredicted at most of those kept (300 instead of 60 µs). */
  constructor(logits: Float32Array, cut: number, scratch: SamplingScratch) {
    this.#scratch = scratch
    const { ids, logits: kept } = scratch
    let count = 0
    for (let tokenId = 0; tokenId < logits.length; tokenId++) {
      const logit = logits[tokenId] ?? 0
      ids[count] = tokenId
      kept[count] = logit
      count += Number(logit >= cut)
    }
    this.#count = count
  }

  get count(): number {
    return this.#count
  }

  idAt(index: number): number {
    return this.#scratch.ids[index] ?? -1
  }

  /** Each counts as one. */
  weighEqually(): void {
    this.#scratch.weights.fill(1, 0, this.#count)
  }

  /** Each counts e^((logit - max) × inverseTemperature). */
  weighByLogit(max: number, inverseTemperature: number): void {
    const { logits, weights } = this.#scratch
    exponentials(logits, this.#count, max, inverseTemperature, weights)
  }

  get totalWeight(): number {
    let total = 0
    for (let index = 0; index < this.#count; index++) total += this.#scratch.weights[index] ?? 0
    return total
  }

  /** Keeps the smallest set of the likeliest that weighs at least `wanted`; of equal logits the lowest ids come first. Loses nothing if all weigh less. */
  keepLikeliest(wanted: number): void {
    const lastKept = this.#lastNeeded(wanted)
    const { ids, logits, weights } = this.#scratch
    const cut = logits[lastKept] ?? 0
    let count = 0
    for (let index = 0; index < this.#count; index++) {
      const logit = logits[index] ?? 0
      ids[count] = ids[index] ?? 0
      logits[count] = logit
      weights[count] = weights[index] ?? 0
      count += Number(logit > cut || (logit === cut && index <= lastKept))
    }
    this.#count = count
  }

  /**
   * Index of the candidate that completes the wanted weight, in the order of falling logits. No sort: the range of logits is divided into buckets,
   * the search goes on in the bucket that completes it, until that holds equal logits only. Highest and lowest never share a bucket, so it ends.
   */
  #lastNeeded(wanted: number): number {
    const { logits, weights, undecided, buckets } = this.#scratch
    let count = this.#count
    for (let index = 0; index < count; index++) undecided[index] = index
    let rest = wanted
    for (;;) {
      const { high, low } = rangeOf(logits, undecided, count)
      if (high === low) break
      const scale = (BUCKETS - 1) / (high - low)
      buckets.fill(0)
      for (let at = 0; at < count; at++) {
        const index = undecided[at] ?? 0
        const bucket = ((high - (logits[index] ?? 0)) * scale) | 0
        buckets[bucket] = (buckets[bucket] ?? 0) + (weights[index] ?? 0)
      }
      let crossing = 0
      for (let bucket = 0; bucket < BUCKETS; bucket++) {
        const weight = buckets[bucket] ?? 0
        if (weight === 0) continue
        crossing = bucket
        if (rest <= weight || bucket === BUCKETS - 1) break
        rest -= weight
      }
      let left = 0
      for (let at = 0; at < count; at++) {
        const index = undecided[at] ?? 0
        undecided[left] = index
        left += Number((((high - (logits[index] ?? 0)) * scale) | 0) === crossing)
      }
      count = left
    }
    let at = 0
    for (; at < count - 1; at++) {
      rest -= weights[undecided[at] ?? 0] ?? 0
      if (rest <= 0) break
    }
    return undecided[at] ?? 0
  }
}

function rangeOf(logits: Float32Array, indexes: Int32Array, count: number): { readonly high: number; readonly low: number } {
  let high = Number.NEGATIVE_INFINITY
  let low = Number.POSITIVE_INFINITY
  for (let at = 0; at < count; at++) {
    const logit = logits[indexes[at] ?? 0] ?? 0
    if (logit > high) high = logit
    if (logit < low) low = logit
  }
  return { high, low }
}
