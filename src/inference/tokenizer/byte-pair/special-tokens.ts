/**
 * Finds tokens that are written out in a text, such as `<|im_start|>`: the leftmost first, of those that begin at the
 * same place the longest.
 *
 * A search in the sorted list of tokens, as some vocabularies have thousands of them: the cost grows with the logarithm
 * of their number, where an alternation of a regular expression tries one after the other.
 */
export class SpecialTokens {
  readonly #ids: ReadonlyMap<string, number>
  /** Ascending by UTF-16 units. */
  readonly #tokens: readonly string[]
  /** Matches the first unit of each token. */
  readonly #starts: RegExp

  constructor(ids: ReadonlyMap<string, number>) {
    this.#ids = ids
    // Half of a surrogate pair never occurs in a text.
    this.#tokens = [...ids.keys()].filter(token => token !== '' && token.isWellFormed()).sort()
    const units = new Set(this.#tokens.map(token => token.charCodeAt(0)))
    this.#starts = new RegExp(`[${Array.from(units, unit => `\\u${unit.toString(16).padStart(4, '0')}`).join('')}]`, 'g')
  }

  /**
   * Ids of the tokens, and the texts between them.
   *
   * @param text  without unpaired surrogates
   */
  *split(text: string): Generator<number | string> {
    let start = 0
    for (let at = this.#nextStart(text, 0); at >= 0; at = this.#nextStart(text, at)) {
      const token = this.#longestAt(text, at)
      const tokenId = token === null ? undefined : this.#ids.get(token)
      if (token === null || tokenId === undefined) {
        at++
        continue
      }
      if (at > start) yield text.slice(start, at)
      yield tokenId
      at += token.length
      start = at
    }
    if (start < text.length) yield text.slice(start)
  }

  /** The next place at which a token may begin; -1 when there is none. */
  #nextStart(text: string, from: number): number {
    this.#starts.lastIndex = from
    return this.#starts.exec(text)?.index ?? -1
  }

  /** The longest token that the text has at `at`: unit by unit, the range of tokens that begin so becomes narrower. */
  #longestAt(text: string, at: number): string | null {
    let longest: string | null = null
    let low = 0
    let high = this.#tokens.length
    for (let depth = 0; low < high; depth++) {
      const first = this.#tokens[low] ?? ''
      if (first.length === depth) {
        if (depth > 0) longest = first
        low++
      }
      if (at + depth >= text.length) break
      const unit = text.charCodeAt(at + depth)
      low = this.#firstNotBelow(unit, depth, low, high)
      high = this.#firstNotBelow(unit + 1, depth, low, high)
    }
    return longest
  }

  /** Of the tokens from `low` to `high`, which agree up to `depth`, the first whose unit there is at least `unit`. */
  #firstNotBelow(unit: number, depth: number, low: number, high: number): number {
    let [from, to] = [low, high]
    while (from < to) {
      const middle = (from + to) >> 1
      if ((this.#tokens[middle] ?? '').charCodeAt(depth) < unit) from = middle + 1
      else to = middle
    }
    return from
  }
}
