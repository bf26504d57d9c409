import type { SamplingParams } from '../contract/sampling.ts'

const NONE: ReadonlySet<number> = new Set()

/**
 * Tokens that are banned at a position: those that would complete a bad word, and end tokens before `minNewTokens`.
 */
export class Bans {
  readonly #params: Pick<SamplingParams, 'allowedTokenIds' | 'badWords' | 'minNewTokens'>
  readonly #endTokenIds: readonly number[]
  readonly #vocabularySize: number
  /** The last generated tokens, as many as the longest bad word needs. */
  readonly #last: number[] = []
  readonly #longest: number

  constructor(
    params: Pick<SamplingParams, 'allowedTokenIds' | 'badWords' | 'minNewTokens'>,
    endTokenIds: readonly number[],
    vocabularySize: number
  ) {
    this.#params = params
    this.#endTokenIds = endTokenIds
    this.#vocabularySize = vocabularySize
    this.#longest = params.badWords.reduce((longest, word) => Math.max(longest, word.length - 1), 0)
  }

  /** Records a generated token. */
  count(tokenId: number): void {
    if (this.#longest === 0) return
    this.#last.push(tokenId)
    if (this.#last.length > this.#longest) this.#last.shift()
  }

  /** Empty when the bans would leave no token to sample. */
  at(position: number): ReadonlySet<number> {
    const { badWords, minNewTokens } = this.#params
    const isEarly = position < minNewTokens
    if (badWords.length === 0 && !isEarly) return NONE
    const banned = new Set(isEarly ? this.#endTokenIds : [])
    for (const word of badWords) {
      const last = word.at(-1)
      if (last !== undefined && this.#isBegun(word)) banned.add(last)
    }
    return this.#leavesNone(banned) ? NONE : banned
  }

  /** Whether the last generated tokens are all tokens of the word but its last. */
  #isBegun(word: readonly number[]): boolean {
    const start = this.#last.length - (word.length - 1)
    if (start < 0) return false
    for (let at = 0; at < word.length - 1; at++) if (this.#last[start + at] !== word[at]) return false
    return true
  }

  #leavesNone(banned: ReadonlySet<number>): boolean {
    const { allowedTokenIds } = this.#params
    return allowedTokenIds === null ? banned.size === this.#vocabularySize : allowedTokenIds.every(tokenId => banned.has(tokenId))
  }
}
