/** Which adjacent tokens may merge, and in which order. A `merge` is an index of the table; -1 means none. */
export interface PairTable {
  find(leftId: number, rightId: number): number
  /** Lower ranks merge first; a whole number. */
  rank(merge: number): number
  tokenId(merge: number): number
}

/**
 * Byte-pair encoding of one word: repeatedly merges the adjacent pair of lowest rank, the leftmost first.
 *
 * A heap of candidate pairs makes it O(n log n). The plain loop, which scans all pairs before each merge, is quadratic:
 * one word of 100,000 letters would block the thread for minutes.
 */
export function mergePairs(symbols: readonly number[], pairs: PairTable): number[] {
  const length = symbols.length
  const ids = Int32Array.from(symbols)
  const next = Int32Array.from(symbols, (_, at) => at + 1)
  const previous = Int32Array.from(symbols, (_, at) => at - 1)
  const isGone = new Uint8Array(length)
  const candidates = new Heap(3 * length)

  const offer = (at: number): void => {
    const right = next[at] ?? length
    if (right >= length) return
    const merge = pairs.find(ids[at] ?? 0, ids[right] ?? 0)
    if (merge >= 0) candidates.push(pairs.rank(merge) * length + at)
  }
  for (let at = 0; at + 1 < length; at++) offer(at)

  for (let key = candidates.pop(); key >= 0; key = candidates.pop()) {
    const at = key % length
    const right = next[at] ?? length
    if (isGone[at] === 1 || right >= length) continue
    const merge = pairs.find(ids[at] ?? 0, ids[right] ?? 0)
    const isStale = merge < 0 || pairs.rank(merge) * length + at !== key
    if (isStale) continue
    ids[at] = pairs.tokenId(merge)
    isGone[right] = 1
    const after = next[right] ?? length
    next[at] = after
    if (after < length) previous[after] = at
    const before = previous[at] ?? -1
    if (before >= 0) offer(before)
    offer(at)
  }

  const merged: number[] = []
  for (let at = 0; at < length; at = next[at] ?? length) merged.push(ids[at] ?? 0)
  return merged
}

/** A binary min-heap of non-negative numbers. */
class Heap {
  readonly #keys: Float64Array
  #size = 0

  constructor(capacity: number) {
    this.#keys = new Float64Array(capacity)
  }

  push(key: number): void {
    const keys = this.#keys
    let at = this.#size++
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = keys[parent] ?? 0
      if (above <= key) break
      keys[at] = above
      at = parent
    }
    keys[at] = key
  }

  /** -1 when empty. */
  pop(): number {
    if (this.#size === 0) return -1
    const keys = this.#keys
    const least = keys[0] ?? 0
    const last = keys[--this.#size] ?? 0
    let at = 0
    for (let child = 1; child < this.#size; child = 2 * at + 1) {
      if (child + 1 < this.#size && (keys[child + 1] ?? 0) < (keys[child] ?? 0)) child++
      const below = keys[child] ?? 0
      if (below >= last) break
      keys[at] = below
      at = child
    }
    keys[at] = last
    return least
  }
}
