import { Tokenizer as HubTokenizer } from '@huggingface/tokenizers'
import { ServiceError } from '../../contract/errors.ts'
import { byteLevelBytes, sentencePieceBytes } from '../byte-pair/byte-level.ts'
import type { Tokenizer } from '../tokenizer.ts'
import { Vocabulary, type VocabularyParts } from '../vocabulary.ts'

export interface HubTokenizerParts extends Pick<VocabularyParts, 'vocabularySize' | 'statedEnds' | 'warnings'> {
  /** The content of a tokenizer.json. */
  readonly tokenizer: object
  /** The content of a tokenizer_config.json. */
  readonly config: object
  /** How tokens represent bytes. */
  readonly alphabet: 'byte-level' | 'sentence-piece'
}

const UTF8 = new TextEncoder()

/** A tokenizer.json that is run by @huggingface/tokenizers. */
export class HubJsonTokenizer extends Vocabulary implements Tokenizer {
  /** Null: normalizers may drop any part of a text, and one unknown token may replace a whole word. */
  readonly bound = null
  readonly #hub: HubTokenizer

  /** @throws {ServiceError} `unavailable` when the library refuses the files */
  constructor(parts: HubTokenizerParts) {
    const hub = openHubTokenizer(parts)
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
    // Unpaired surrogates become U+FFFD, as in UTF-8 encoders.
    const { ids } = this.#hub.encode(text.toWellFormed(), { add_special_tokens: addSpecialTokens })
    // The post-processor may add ids beyond the embedding; they are excluded.
    return ids.filter((tokenId: number) => tokenId >= 0 && tokenId < this.vocabularySize)
  }
}

/** The library validates little: a malformed file causes an arbitrary error, here or in the first encoding. */
function openHubTokenizer({ tokenizer, config }: HubTokenizerParts): HubTokenizer {
  try {
    const hub = new HubTokenizer(tokenizer, config)
    hub.encode('a', { add_special_tokens: true })
    return hub
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ServiceError('unavailable', `tokenizer.json cannot be used: ${reason.slice(0, 500)}`, { cause })
  }
}
