import { Tokenizer as HubTokenizer } from '@huggingface/tokenizers'
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

/** A tokenizer.json, run by @huggingface/tokenizers. */
export class HubJsonTokenizer extends Vocabulary implements Tokenizer {
  readonly vocabularySize: number
  /** Its normalizers may drop any part of a text, and one token for the unknown may stand for a whole word. */
  readonly bound = null
  readonly #hub: HubTokenizer

  constructor(parts: HubTokenizerParts) {
    const hub = new HubTokenizer(parts.tokenizer, parts.config)
    const added = hub.get_added_tokens_decoder()
    const bytesOfToken = parts.alphabet === 'byte-level' ? byteLevelBytes : sentencePieceBytes
    super({
      specialIds: new Set([...added].filter(([, token]) => token.special).map(([tokenId]) => tokenId)),
      endTokenIds: parts.endTokenIds,
      bytesOf: tokenId => {
        const literal = added.get(tokenId)?.content
        return literal === undefined ? bytesOfToken(hub.id_to_token(tokenId) ?? '') : UTF8.encode(literal)
      }
    })
    this.vocabularySize = parts.vocabularySize
    this.#hub = hub
  }

  encode(text: string, { addSpecialTokens = true }: { readonly addSpecialTokens?: boolean } = {}): number[] {
    // Unpaired surrogates are no text: they become U+FFFD, as UTF-8 encoders write them.
    return this.#hub.encode(text.toWellFormed(), { add_special_tokens: addSpecialTokens }).ids
  }
}
