import type { TokenCountBound } from '../token-count-bound.ts'
import type { Tokenizer } from '../tokenizer.ts'
import { Vocabulary, type VocabularyParts } from '../vocabulary.ts'
import { mergePairs, type PairTable } from './merge-pairs.ts'
import { SpecialTokens } from './special-tokens.ts'

export interface BytePairParts extends VocabularyParts {
  readonly bound: TokenCountBound
  /** Before every text. */
  readonly startTokenIds: readonly number[]
  /** Tokens that are found whole in a text, before all else. */
  readonly literals: ReadonlyMap<string, number>
  /** The words of a text without literals: no token reaches over their borders. */
  readonly words: (text: string) => Iterable<string>
  /** The ids that a word starts as, before any merge. */
  readonly symbols: (word: string) => number[]
  readonly pairs: PairTable
  /** Some vocabularies look for the whole word before they merge. */
  readonly wholeWord?: (word: string) => number | undefined
}

const CACHED_WORD_CHARS = 64
const CACHED_WORDS = 20_000

/** Byte-pair encoding, exact and in n log n for whatever text. */
export class BytePairTokenizer extends Vocabulary implements Tokenizer {
  readonly bound: TokenCountBound
  readonly #parts: BytePairParts
  readonly #literals: SpecialTokens
  readonly #startTokenIds: readonly number[]
  #cache = new Map<string, readonly number[]>()

  constructor(parts: BytePairParts) {
    const { startTokenIds, vocabularySize, warnings } = parts
    const unknown = startTokenIds.filter(tokenId => tokenId < 0 || tokenId >= vocabularySize)
    super({ ...parts, warnings: [...warnings, ...unknown.map(tokenId => unknownStart(tokenId, vocabularySize))] })
    this.bound = parts.bound
    this.#startTokenIds = startTokenIds.filter(tokenId => !unknown.includes(tokenId))
    this.#parts = parts
    this.#literals = new SpecialTokens(parts.literals)
  }

  encode(text: string, { addSpecialTokens = true }: { readonly addSpecialTokens?: boolean } = {}): number[] {
    const ids = addSpecialTokens ? [...this.#startTokenIds] : []
    // Unpaired surrogates are no text: they become U+FFFD, as UTF-8 encoders write them.
    for (const section of this.#literals.split(text.toWellFormed())) {
      if (typeof section === 'number') ids.push(section)
      else for (const word of this.#parts.words(section)) for (const tokenId of this.#encodeWord(word)) ids.push(tokenId)
    }
    return ids
  }

  #encodeWord(word: string): readonly number[] {
    const known = this.#cache.get(word)
    if (known !== undefined) return known
    const whole = this.#parts.wholeWord?.(word)
    const ids = whole === undefined ? mergePairs(this.#parts.symbols(word), this.#parts.pairs) : [whole]
    if (word.length <= CACHED_WORD_CHARS) {
      if (this.#cache.size >= CACHED_WORDS) this.#cache = new Map()
      this.#cache.set(unslicedCopy(word), ids)
    }
    return ids
  }
}

function unknownStart(tokenId: number, vocabularySize: number): string {
  return `the model's files name the start token ${tokenId}, but the model has ${vocabularySize} tokens: it is ignored.`
}

/**
 * V8 makes a longer slice a view: as a key of the cache it would keep the whole text that it was cut from, a megabyte
 * for one word.
 */
function unslicedCopy(word: string): string {
  return Buffer.from(word, 'utf16le').toString('utf16le')
}
