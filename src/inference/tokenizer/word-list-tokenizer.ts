import { tokenCountBound } from './token-count-bound.ts'
import type { Tokenizer } from './tokenizer.ts'
import { Vocabulary } from './vocabulary.ts'

/** Ids 0 to 255 are bytes; words have ids from 256. */
const BYTES = 256

export interface WordListParts {
  readonly words: readonly string[]
  readonly chatTemplate: string
}

const UTF8 = new TextEncoder()

/** UTF-8 bytes as ids, and words that are only generated: every text is encoded as its bytes. */
export class WordListTokenizer extends Vocabulary implements Tokenizer {
  readonly bound = tokenCountBound({ tokens: [], mayDrop: () => false, normalizes: false })

  constructor({ words }: WordListParts) {
    super({
      vocabularySize: BYTES + words.length,
      specialIds: new Set(),
      statedEnds: [],
      warnings: [],
      bytesOf: tokenId => (tokenId < BYTES ? Uint8Array.of(tokenId) : UTF8.encode(words[tokenId - BYTES] ?? ''))
    })
  }

  encode(text: string): number[] {
    return Array.from(UTF8.encode(text))
  }
}
