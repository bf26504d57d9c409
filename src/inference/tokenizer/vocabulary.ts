import type { TextDecoderPort, TokenText } from '../contract/token-text.ts'

export interface VocabularyParts {
  /** Text of each id as its bytes. */
  readonly bytesOf: (tokenId: number) => Uint8Array
  readonly specialIds: ReadonlySet<number>
  readonly endTokenIds: readonly number[]
}

const NOTHING = new Uint8Array(0)

/** Ids to bytes and text, whatever made the ids. */
export class Vocabulary implements TokenText {
  readonly endTokenIds: readonly number[]
  readonly #parts: VocabularyParts
  readonly #bytes = new Map<number, Uint8Array>()

  constructor(parts: VocabularyParts) {
    this.endTokenIds = parts.endTokenIds
    this.#parts = parts
  }

  bytes(tokenId: number): Uint8Array {
    const known = this.#bytes.get(tokenId)
    if (known !== undefined) return known
    const bytes = this.#parts.bytesOf(tokenId)
    // Ids outside the vocabulary have none, and there is no end of them.
    if (bytes.length > 0) this.#bytes.set(tokenId, bytes)
    return bytes
  }

  isSpecial(tokenId: number): boolean {
    return this.#parts.specialIds.has(tokenId)
  }

  decoder({ skipSpecial }: { readonly skipSpecial: boolean }): TextDecoderPort {
    // `stream` keeps an unfinished character back and turns bytes that can never be one into U+FFFD at once.
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
    return {
      push: tokenId => decoder.decode(skipSpecial && this.isSpecial(tokenId) ? NOTHING : this.bytes(tokenId), { stream: true }),
      flush: () => decoder.decode()
    }
  }
}
