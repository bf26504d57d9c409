import { exponentials } from './exponential.ts'
import { BUCKETS, type SamplingScratch } from './sampling-scratch.ts'

/** What candidates are kept by, highest first. */
type Order = Float32Array | Float64Array

/** How many more than twice the wanted a search for the highest collects, at least, before it sorts out. */
const SPARE_ROOM = 128

/** The tokens that filters have left, ids ascending; their buffers are lent by the scratch. */
export class Candidates {
  readonly #scratch: SamplingScratch
  #count = 0

  /** @param count  of those that lie in the scratch */
  constructor(scratch: SamplingScratch, count = 0) {
    this.#scratch = scratch
    this.#count = count
  }

  /**
   * Those of `logits` [V] that are at least `cut`. No branch: it would be mispredicted at most of those kept (300
   * instead of 60 µs).
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
   * The `rank` highest of `logits` [V] that are at least `cut`; of equals the lowest ids come first. The bar rises:
   * whenever as many again have come over it, only the best stay, so that few of the rest do (measured: 63 µs for the
   * best 40 of 49,152).
   */
  static highest(logits: Float32Array, rank: number, cut: number, scratch: SamplingScratch): Candidates {
    const { ids, logits: kept } = scratch
    const found = new Candidates(scratch)
    const room = 2 * rank + SPARE_ROOM
    let bar = cut
    let count = 0
    for (let index = 0; index < logits.length; index += 4) {
      const a = logits[index] ?? Number.NaN
      const b = logits[index + 1] ?? Number.NaN
      const c = logits[index + 2] ?? Number.NaN
      const d = logits[index + 3] ?? Number.NaN
      if (!(a >= bar || b >= bar || c >= bar || d >= bar)) continue
      const end = Math.min(index + 4, logits.length)
      for (let tokenId = index; tokenId < end; tokenId++) {
        const logit = logits[tokenId] ?? Number.NaN
        ids[count] = tokenId
        kept[count] = logit
        count += Number(logit >= bar)
      }
      if (count <= room) continue
      bar = justAbove(found.#keepHighest(count, rank))
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

  /**
   * Keeps the smallest set of the likeliest that weighs at least `wanted`; of equal logits the lowest ids come first.
   * Loses nothing if all weigh less.
   */
  keepTop(topCount: number): void {
    this.#keepFirst(this.#scratch.logits, topCount)
  }

  /**
   * Keeps the smallest set of the most typical that weighs at least `share` of all: those whose surprise, -ln p, is
   * nearest to the expected one.
   *
   * Source: Meister, Pimentel, Wiher and Cotterell, "Locally typical sampling" (2022), as llama.cpp has it.
   */
  keepMostTypical(share: number, max: number, inverseTemperature: number): void {
    const { logits, weights, typicality } = this.#scratch
    const total = this.totalWeight
    const surprise = (index: number): number => Math.log(total) - ((logits[index] ?? 0) - max) * inverseTemperature
    let entropy = 0
    for (let index = 0; index < this.#count; index++) entropy += ((weights[index] ?? 0) / total) * surprise(index)
    for (let index = 0; index < this.#count; index++) typicality[index] = -Math.abs(surprise(index) - entropy)
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
   * Keeps the smallest set of the highest in `order` that weighs at least `wanted`; of equals the lowest ids come
   * first.
   */
  #keepFirst(order: Order, topCount: number): void {
    const lastKept = this.#lastNeeded(order, topCount)
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
   * Index of the candidate that completes the wanted weight, in falling order. No sort: the range of the order is
   * divided into buckets, the search goes on in the bucket that completes it, until that holds equals only. Highest and
   * lowest never share a bucket, so it ends.
   */
  #lastNeeded(order: Order, topCount: number): number {
    const { weights, undecided, buckets } = this.#scratch
    let count = this.#count
    for (let index = 0; index < count; index++) undecided[index] = index
    let rest = topCount
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

/** @param indexes  of those to look at; null: of all */
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

/** Above this float32, and not above any that is higher. */
function justAbove(logit: number): number {
  return logit + Math.abs(logit) * 2 ** -40 + Number.MIN_VALUE
}
