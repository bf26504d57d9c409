import { ServiceError } from '../contract/errors.ts'
import type { TextDecoderPort, TokenText } from '../contract/token-text.ts'
import { endTokensOf, endTokenWarning, listed, type StatedEnds } from './end-tokens.ts'

export interface VocabularyParts {
  /** Ids are 0 to `vocabularySize` - 1. */
  readonly vocabularySize: number
  /** The bytes of each token's text. */
  readonly bytesOf: (tokenId: number) => Uint8Array
  readonly specialIds: ReadonlySet<number>
  readonly statedEnds: readonly StatedEnds[]
  /** Problems found in the files so far. */
  readonly warnings: readonly string[]
}

const NOTHING = new Uint8Array(0)
const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** Ids to bytes and text; common to all tokenizers. */
export class Vocabulary implements TokenText {
  readonly vocabularySize: number
  readonly endTokenIds: readonly number[]
  readonly warnings: readonly string[]
  readonly #parts: VocabularyParts
  readonly #bytes = new Map<number, Uint8Array>()
  /** Control tokens by their text. */
  readonly #specials: ReadonlyMap<string, number>

  /** @throws {ServiceError} `unavailable` for a vocabulary without tokens */
  constructor(parts: VocabularyParts) {
    const { vocabularySize, specialIds, statedEnds, warnings } = parts
    if (vocabularySize < 1) throw new ServiceError('unavailable', 'the tokenizer has no tokens')
    this.vocabularySize = vocabularySize
    this.#parts = parts
    const textOf = (tokenId: number): string => UTF8.decode(this.bytes(tokenId))
    this.#specials = new Map(Array.from(specialIds, tokenId => [textOf(tokenId), tokenId]))
    const ends = statedEnds.map(({ source, tokenIds }) => ({ source, tokenIds: tokenIds.filter(tokenId => this.#has(tokenId)) }))
    this.endTokenIds = endTokensOf(ends, this.#specials)
    this.warnings = [...warnings, ...this.#unknownEnds(), endTokenWarning(ends, textOf)].filter(warning => warning !== null)
  }

  bytes(tokenId: number): Uint8Array {
    const known = this.#bytes.get(tokenId)
    if (known !== undefined) return known
    const bytes = this.#parts.bytesOf(tokenId)
    // Ids outside the vocabulary have no bytes; caching them would let the map grow without bound.
    if (bytes.length > 0) this.#bytes.set(tokenId, bytes)
    return bytes
  }

  isSpecial(tokenId: number): boolean {
    return this.#parts.specialIds.has(tokenId)
  }

  specialIdOf(text: string): number | null {
    return this.#specials.get(text) ?? null
  }

  decoder({ skipSpecial }: { readonly skipSpecial: boolean }): TextDecoderPort {
    // With `stream`, an unfinished character is buffered, and bytes that cannot become one are U+FFFD at once.
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
    return {
      push: tokenId => decoder.decode(skipSpecial && this.isSpecial(tokenId) ? NOTHING : this.bytes(tokenId), { stream: true }),
      flush: () => decoder.decode()
    }
  }

  #has(tokenId: number): boolean {
    return tokenId >= 0 && tokenId < this.vocabularySize
  }

  #unknownEnds(): string[] {
    return this.#parts.statedEnds.flatMap(({ source, tokenIds }) => {
      const unknown = tokenIds.filter(tokenId => !this.#has(tokenId))
      const list = listed(unknown.map(String))
      return unknown.length === 0
        ? []
        : [`${source} names the end token ${list}, but the model has ${this.vocabularySize} tokens: it is ignored.`]
    })
  }
}
