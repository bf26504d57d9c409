/**
 * Matches tokens that occur literally in a text, such as `<|im_start|>`: leftmost-longest, without overlaps.
 *
 * Searches a sorted list, because some vocabularies have thousands of literals: the cost is logarithmic in their
 * number, where an alternation in a regular expression tries each in turn.
 */
export class SpecialTokens {
  readonly #ids: ReadonlyMap<string, number>
  /** Ascending by UTF-16 units. */
  readonly #tokens: readonly string[]
  /** Matches any first unit of a token. */
  readonly #starts: RegExp

  constructor(ids: ReadonlyMap<string, number>) {
    this.#ids = ids
    // A well-formed text never contains half of a surrogate pair.
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

  /** Index of the next unit at which a token may begin; -1 when there is none. */
  #nextStart(text: string, from: number): number {
    this.#starts.lastIndex = from
    return this.#starts.exec(text)?.index ?? -1
  }

  /** The longest token that begins at `at`: each unit narrows the range of tokens with the prefix read so far. */
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

  /** Index of the first token in [low, high), which share a prefix of `depth` units, whose next unit is >= `unit`. */
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
