import { Tokenizer as HubTokenizer } from '@huggingface/tokenizers'
import { byteLevelBytes, sentencePieceBytes } from '../byte-pair/byte-level.ts'
import type { Tokenizer } from '../tokenizer.ts'
import { Vocabulary, type VocabularyParts } from '../vocabulary.ts'

export interface HubTokenizerParts extends Pick<VocabularyParts, 'vocabularySize' | 'statedEnds' | 'warnings'> {
  /** The content of a tokenizer.json. */
  readonly tokenizer: object
  /** The content of a tokenizer_config.json. */
  readonly config: object
  /** How tokens write bytes. */
  readonly alphabet: 'byte-level' | 'sentence-piece'
}

const UTF8 = new TextEncoder()

/** A tokenizer.json, run by @huggingface/tokenizers. */
export class HubJsonTokenizer extends Vocabulary implements Tokenizer {
  /** Its normalizers may drop any part of a text, and one token for the unknown may stand for a whole word. */
  readonly bound = null
  readonly #hub: HubTokenizer

  constructor(parts: HubTokenizerParts) {
    const hub = new HubTokenizer(parts.tokenizer, parts.config)
    const added = hub.get_added_tokens_decoder()
    const bytesOfToken = parts.alphabet === 'byte-level' ? byteLevelBytes : sentencePieceBytes
    super({
      specialIds: new Set([...added].filter(([, token]) => token.special).map(([tokenId]) => tokenId)),
      vocabularySize: parts.vocabularySize,
      statedEnds: parts.statedEnds,
      warnings: parts.warnings,
      bytesOf: tokenId => {
        const literal = added.get(tokenId)?.content
        return literal === undefined ? bytesOfToken(hub.id_to_token(tokenId) ?? '') : UTF8.encode(literal)
      }
    })
    this.#hub = hub
  }

  encode(text: string, { addSpecialTokens = true }: { readonly addSpecialTokens?: boolean } = {}): number[] {
    // Unpaired surrogates are no text: they become U+FFFD, as UTF-8 encoders write them.
    const { ids } = this.#hub.encode(text.toWellFormed(), { add_special_tokens: addSpecialTokens })
    // A start token beyond the embedding is left out, as such tokens are everywhere.
    return ids.filter((tokenId: number) => tokenId >= 0 && tokenId < this.vocabularySize)
  }
}
