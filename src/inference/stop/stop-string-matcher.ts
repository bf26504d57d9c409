/**
 * Tracks the longest prefix of one stop string that the text read so far ends with. Amortised O(1) per UTF-16 unit,
 * also for repetitive text.
 *
 * Source: Knuth, Morris and Pratt, "Fast pattern matching in strings", SIAM Journal on Computing 6 (1977).
 */
export class StopStringMatcher {
  readonly pattern: string
  /** By matched length: the next shorter prefix of the pattern that the text ends with. */
  readonly #fallback: Uint16Array
  #matched = 0

  /** @param pattern not empty */
  constructor(pattern: string) {
    this.pattern = pattern
    this.#fallback = new Uint16Array(pattern.length + 1)
    let matched = 0
    for (let length = 1; length < pattern.length; length++) {
      const unit = pattern.charCodeAt(length)
      while (matched > 0 && pattern.charCodeAt(matched) !== unit) matched = this.#fallback[matched] ?? 0
      if (pattern.charCodeAt(matched) === unit) matched++
      this.#fallback[length + 1] = matched
    }
  }

  /** UTF-16 units at the end of the text that are a prefix of the stop string. */
  get matched(): number {
    return this.#matched
  }

  /** Reads one UTF-16 unit; true when it completes the stop string. Later units may complete it again, overlapping. */
  read(unit: number): boolean {
    while (this.#matched > 0 && this.pattern.charCodeAt(this.#matched) !== unit) this.#matched = this.#fallback[this.#matched] ?? 0
    if (this.pattern.charCodeAt(this.#matched) === unit) this.#matched++
    if (this.#matched < this.pattern.length) return false
    this.#matched = this.#fallback[this.#matched] ?? 0
    return true
  }
}
