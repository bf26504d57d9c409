/**
 * Follows how much of one stop string the text read so far ends with. Amortised one step per UTF-16 unit, hostile
 * repetition included.
 *
 * Source: Knuth, Morris and Pratt, "Fast pattern matching in strings", SIAM Journal on Computing 6 (1977).
 */
export class StopStringMatcher {
  readonly pattern: string
  /** Per matched length: the longest shorter match that the text then ends with too. */
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

  /** UTF-16 units at the end of the text that may become the stop string. */
  get matched(): number {
    return this.#matched
  }

  /** Reads one UTF-16 unit; true when it completes the stop string. What is read after that may complete it again. */
  read(unit: number): boolean {
    while (this.#matched > 0 && this.pattern.charCodeAt(this.#matched) !== unit) this.#matched = this.#fallback[this.#matched] ?? 0
    if (this.pattern.charCodeAt(this.#matched) === unit) this.#matched++
    if (this.#matched < this.pattern.length) return false
    this.#matched = this.#fallback[this.#matched] ?? 0
    return true
  }
}
