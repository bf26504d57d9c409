import type { TokenCountBound } from '../token-count-bound.ts'
import type { Tokenizer } from '../tokenizer.ts'
import { Vocabulary, type VocabularyParts } from '../vocabulary.ts'
import { mergePairs, type PairTable } from './merge-pairs.ts'
import { SpecialTokens } from './special-tokens.ts'

export interface BytePairParts extends VocabularyParts {
  readonly bound: TokenCountBound
  /** Prepended to every text. */
  readonly startTokenIds: readonly number[]
  /** Tokens that are matched literally in a text, before it is split into words. */
  readonly literals: ReadonlyMap<string, number>
  /** Splits a text without literals into words; no token spans two words. */
  readonly words: (text: string) => Iterable<string>
  /** The initial ids of a word, before any merge. */
  readonly symbols: (word: string) => number[]
  readonly pairs: PairTable
  /** Some vocabularies look up the whole word before they merge. */
  readonly wholeWord?: (word: string) => number | undefined
}

const CACHED_WORD_CHARS = 64
const CACHED_WORDS = 20_000

/** Byte-pair encoding, exact, in O(n log n) for any text. */
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
    // Unpaired surrogates become U+FFFD, as in UTF-8 encoders.
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
 * V8 implements longer slices as views: as a key of the cache, a slice would retain the whole text that it was cut
 * from, up to a megabyte for one word.
 */
function unslicedCopy(word: string): string {
  return Buffer.from(word, 'utf16le').toString('utf16le')
}
