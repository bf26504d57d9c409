import { exponentials } from './exponential.ts'
import { BUCKETS, type SamplingScratch } from './sampling-scratch.ts'

/** The values by which candidates are ranked, highest first. */
type Order = Float32Array | Float64Array

/** A search for the highest k collects 2k plus this many candidates before it selects. */
const SPARE_CAPACITY = 128

/** The tokens that remain after filtering, ids ascending. The scratch owns the buffers. */
export class Candidates {
  readonly #scratch: SamplingScratch
  #count = 0

  /** @param count  of the candidates that are already in the scratch */
  constructor(scratch: SamplingScratch, count = 0) {
    this.#scratch = scratch
    this.#count = count
  }

  /**
   * Those of `logits` [V] that are at least `cut`. Branch-free: a branch would be mispredicted for most of those kept
   * (300 instead of 60 µs).
   */
  static above(logits: Float32Array, cut: number, scratch: SamplingScratch): Candidates {
    const { ids, logits: kept } = scratch
    let count = 0
    for (let tokenId = 0; tokenId < logits.length; tokenId++) {
      const logit = logits[tokenId] ?? 0
      ids[count] = tokenId
      kept[count] = logit
      count += Number(logit >= cut)
    }
    return new Candidates(scratch, count)
  }

  /**
   * The `rank` highest of `logits` [V] that are at least `cut`; among equals the lowest ids come first. Whenever the
   * buffer is full, only the highest are kept and the threshold rises to the lowest of them, so that few of the
   * remaining logits exceed it (measured: 63 µs for the highest 40 of 49,152).
   */
  static highest(logits: Float32Array, rank: number, cut: number, scratch: SamplingScratch): Candidates {
    const { ids, logits: kept } = scratch
    const found = new Candidates(scratch)
    const capacity = 2 * rank + SPARE_CAPACITY
    let threshold = cut
    let count = 0
    for (let index = 0; index < logits.length; index += 4) {
      const a = logits[index] ?? Number.NaN
      const b = logits[index + 1] ?? Number.NaN
      const c = logits[index + 2] ?? Number.NaN
      const d = logits[index + 3] ?? Number.NaN
      if (!(a >= threshold || b >= threshold || c >= threshold || d >= threshold)) continue
      const end = Math.min(index + 4, logits.length)
      for (let tokenId = index; tokenId < end; tokenId++) {
        const logit = logits[tokenId] ?? Number.NaN
        ids[count] = tokenId
        kept[count] = logit
        count += Number(logit >= threshold)
      }
      if (count <= capacity) continue
      threshold = justAbove(found.#keepHighest(count, rank))
      count = rank
    }
    if (count > rank) found.#keepHighest(count, rank)
    else found.#count = count
    return found
  }

  get count(): number {
    return this.#count
  }

  idAt(index: number): number {
    return this.#scratch.ids[index] ?? -1
  }

  /** Sets each weight to e^((logit - max) × inverseTemperature). */
  weighByLogit(max: number, inverseTemperature: number): void {
    const { logits, weights } = this.#scratch
    exponentials(logits, this.#count, max, inverseTemperature, weights)
  }

  get totalWeight(): number {
    let total = 0
    for (let index = 0; index < this.#count; index++) total += this.#scratch.weights[index] ?? 0
    return total
  }

  /**
   * Keeps the smallest set of the most likely whose total weight is at least `mass`; among equal logits the lowest ids
   * come first. Keeps all if their total is less.
   */
  keepTop(mass: number): void {
    this.#keepFirst(this.#scratch.logits, mass)
  }

  /**
   * Keeps the smallest set of the most typical whose weight is at least `share` of the total: those whose surprisal,
   * -ln p, is nearest to the entropy.
   *
   * Source: Meister, Pimentel, Wiher and Cotterell, "Locally typical sampling" (2022), as in llama.cpp.
   */
  keepMostTypical(share: number, max: number, inverseTemperature: number): void {
    const { logits, weights, typicality } = this.#scratch
    const total = this.totalWeight
    const surprisal = (index: number): number => Math.log(total) - ((logits[index] ?? 0) - max) * inverseTemperature
    let entropy = 0
    for (let index = 0; index < this.#count; index++) entropy += ((weights[index] ?? 0) / total) * surprisal(index)
    for (let index = 0; index < this.#count; index++) typicality[index] = -Math.abs(surprisal(index) - entropy)
    this.#keepFirst(typicality, share * total)
  }

  /** Keeps the `rank` highest of the `count` in the scratch. @returns the lowest of them */
  #keepHighest(count: number, rank: number): number {
    const { logits, weights } = this.#scratch
    this.#count = count
    weights.fill(1, 0, count)
    this.#keepFirst(logits, rank)
    return rangeOf(logits, null, this.#count).low
  }

  /**
   * Keeps the smallest set of the highest in `order` whose total weight is at least `mass`; among equals the lowest ids
   * come first.
   */
  #keepFirst(order: Order, mass: number): void {
    const lastKept = this.#lastNeeded(order, mass)
    const { ids, logits, weights } = this.#scratch
    const cut = order[lastKept] ?? 0
    let count = 0
    for (let index = 0; index < this.#count; index++) {
      const rank = order[index] ?? 0
      ids[count] = ids[index] ?? 0
      logits[count] = logits[index] ?? 0
      weights[count] = weights[index] ?? 0
      count += Number(rank > cut || (rank === cut && index <= lastKept))
    }
    this.#count = count
  }

  /**
   * Index of the candidate at which the cumulative weight, in descending order, reaches `mass`. Does not sort: divides
   * the range of values into buckets and continues in the bucket that reaches it, until all values in it are equal.
   * Terminates, because the highest and the lowest value are never in the same bucket.
   */
  #lastNeeded(order: Order, mass: number): number {
    const { weights, undecided, buckets } = this.#scratch
    let count = this.#count
    for (let index = 0; index < count; index++) undecided[index] = index
    let rest = mass
    for (;;) {
      const { high, low } = rangeOf(order, undecided, count)
      if (high === low) break
      const scale = (BUCKETS - 1) / (high - low)
      buckets.fill(0)
      for (let at = 0; at < count; at++) {
        const index = undecided[at] ?? 0
        const bucket = ((high - (order[index] ?? 0)) * scale) | 0
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
        left += Number((((high - (order[index] ?? 0)) * scale) | 0) === crossing)
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

/** @param indexes  of the values to consider; null for all */
function rangeOf(order: Order, indexes: Int32Array | null, count: number): { readonly high: number; readonly low: number } {
  let high = Number.NEGATIVE_INFINITY
  let low = Number.POSITIVE_INFINITY
  for (let at = 0; at < count; at++) {
    const rank = order[indexes === null ? at : (indexes[at] ?? 0)] ?? 0
    if (rank > high) high = rank
    if (rank < low) low = rank
  }
  return { high, low }
}

/** A number above this float32 and not above any larger float32. */
function justAbove(logit: number): number {
  return logit + Math.abs(logit) * 2 ** -40 + Number.MIN_VALUE
}
