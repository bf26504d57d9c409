/** Ids of byte sequences, written as one Latin-1 character per byte; a lower id is merged earlier. */
export type Ranks = ReadonlyMap<string, number>

/**
 * Byte-pair merges of one word, lowest rank first, leftmost among equals. js-tiktoken rescans the word after each merge, which takes
 * half a minute for 16,000 letters; a heap of candidate pairs takes n log n.
 *
 * @param word            Latin-1, one character per byte
 * @param longestToken    bytes of the longest token: longer pairs need no look-up
 * @throws {RangeError}   a byte that has no id of its own: the ranks are not those of a byte-level vocabulary
 */
export function mergeBytes(word: string, ranks: Ranks, longestToken: number): number[] {
  const length = word.length
  /** End of the part that starts at an index; 0 once the part was merged away. */
  const ends = Int32Array.from({ length }, (_, index) => index + 1)
  const previous = Int32Array.from({ length }, (_, index) => index - 1)
  const heap = new PairHeap()

  function offer(start: number): void {
    const middle = ends[start] ?? 0
    const end = middle < length ? (ends[middle] ?? 0) : 0
    if (start < 0 || end === 0 || end - start > longestToken) return
    const rank = ranks.get(word.slice(start, end))
    if (rank !== undefined) heap.push({ rank, start, middle, end })
  }

  for (let start = 0; start < length - 1; start++) offer(start)
  for (let pair = heap.pop(); pair !== null; pair = heap.pop()) {
    // A pair is stale when either of its parts was merged meanwhile.
    if (ends[pair.start] !== pair.middle || ends[pair.middle] !== pair.end) continue
    ends[pair.start] = pair.end
    ends[pair.middle] = 0
    if (pair.end < length) previous[pair.end] = pair.start
    offer(pair.start)
    const before = previous[pair.start] ?? -1
    if (before >= 0) offer(before)
  }

  const tokenIds: number[] = []
  for (let start = 0; start < length; start = ends[start] ?? length) {
    const tokenId = ranks.get(word.slice(start, ends[start]))
    if (tokenId === undefined) throw new RangeError(`byte ${word.charCodeAt(start)} has no token`)
    tokenIds.push(tokenId)
  }
  return tokenIds
}

interface Pair {
  readonly rank: number
  readonly start: number
  readonly middle: number
  readonly end: number
}

/** Binary heap: the lowest rank, then the leftmost, comes first. */
class PairHeap {
  readonly #pairs: Pair[] = []

  push(pair: Pair): void {
    let index = this.#pairs.push(pair) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!this.#isBefore(index, parent)) return
      this.#swap(index, parent)
      index = parent
    }
  }

  pop(): Pair | null {
    const [first] = this.#pairs
    const last = this.#pairs.pop()
    if (first === undefined || last === undefined) return null
    if (this.#pairs.length === 0) return first
    this.#pairs[0] = last
    this.#sink()
    return first
  }

  #sink(): void {
    let index = 0
    for (;;) {
      const left = 2 * index + 1
      const smaller = this.#isBefore(left + 1, left) ? left + 1 : left
      if (!this.#isBefore(smaller, index)) return
      this.#swap(index, smaller)
      index = smaller
    }
  }

  #isBefore(left: number, right: number): boolean {
    const a = this.#pairs[left]
    const b = this.#pairs[right]
    return a !== undefined && (b === undefined || a.rank < b.rank || (a.rank === b.rank && a.start < b.start))
  }

  #swap(left: number, right: number): void {
    const a = this.#pairs[left]
    const b = this.#pairs[right]
    if (a === undefined || b === undefined) return
    this.#pairs[left] = b
    this.#pairs[right] = a
  }
}
