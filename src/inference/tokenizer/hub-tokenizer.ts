import { Tokenizer as HubTokenizer } from '@huggingface/tokenizers'
import type { TextDecoderPort } from '../contract/token-text.ts'
import { byteLevelBytes, sentencePieceBytes } from './byte-level.ts'
import type { Tokenizer } from './tokenizer.ts'
import { Vocabulary } from './vocabulary.ts'

export interface HubTokenizerParts {
  /** The content of a tokenizer.json. */
  readonly tokenizer: object
  /** The content of a tokenizer_config.json. */
  readonly config: object
  readonly vocabularySize: number
  readonly endTokenIds: readonly number[]
  /** How tokens write bytes. */
  readonly alphabet: 'byte-level' | 'sentence-piece'
}

const UTF8 = new TextEncoder()
/** Unpaired surrogates, which are no text: they become U+FFFD, as UTF-8 encoders write them. */
const toWellFormed = (text: string): string => (text.isWellFormed() ? text : text.toWellFormed())

/** A tokenizer.json, run by @huggingface/tokenizers. */
export class HubJsonTokenizer implements Tokenizer {
  readonly vocabularySize: number
  readonly endTokenIds: readonly number[]
  readonly #hub: HubTokenizer
  readonly #vocabulary: Vocabulary

  constructor(parts: HubTokenizerParts) {
    this.vocabularySize = parts.vocabularySize
    this.endTokenIds = parts.endTokenIds
    this.#hub = new HubTokenizer(parts.tokenizer, parts.config)
    const added = this.#hub.get_added_tokens_decoder()
    const specialIds = new Set([...added].filter(([, token]) => token.special).map(([tokenId]) => tokenId))
    const bytesOfToken = parts.alphabet === 'byte-level' ? byteLevelBytes : sentencePieceBytes
    this.#vocabulary = new Vocabulary({
      specialIds,
      endTokenIds: parts.endTokenIds,
      bytesOf: tokenId => {
        const literal = added.get(tokenId)?.content
        return literal === undefined ? bytesOfToken(this.#hub.id_to_token(tokenId) ?? '') : UTF8.encode(literal)
      }
    })
  }

  encode(text: string): number[] {
    return this.#hub.encode(toWellFormed(text)).ids
  }

  bytes(tokenId: number): Uint8Array {
    return this.#vocabulary.bytes(tokenId)
  }

  isSpecial(tokenId: number): boolean {
    return this.#vocabulary.isSpecial(tokenId)
  }

  decoder(options: { readonly skipSpecial: boolean }): TextDecoderPort {
    return this.#vocabulary.decoder(options)
  }
}
