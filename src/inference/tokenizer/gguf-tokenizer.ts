import { byteLevelBytes, byteLevelText, sentencePieceBytes } from './byte-level.ts'
import { BytePairTokenizer } from './byte-pair-tokenizer.ts'
import { type GgufVocabulary, parseGgufVocabulary } from './gguf-metadata-schema.ts'
import { mergeTable, scoreTable } from './pair-tables.ts'
import type { Tokenizer } from './tokenizer.ts'
import { splitWords, wordSplitOf } from './word-split.ts'

/** `tokenizer.ggml.token_type` of control tokens, such as `<|im_end|>`, and of tokens that users define. Source: ggml's GGUF specification. */
const CONTROL = 3
const USER_DEFINED = 4

const UTF8 = new TextEncoder()
const NOTHING = new Uint8Array(0)

/**
 * The tokenizer inside a GGUF file: byte-level BPE (`gpt2`) or SentencePiece (`llama`).
 *
 * @param metadata  the file's key/value pairs; those of `tokenizer.ggml.` are read
 * @throws {ServiceError} `unavailable` when they are missing, malformed or of a kind that we do not know
 */
export function tokenizerFromGguf(metadata: ReadonlyMap<string, unknown>): Tokenizer {
  const vocabulary = parseGgufVocabulary(metadata)
  return vocabulary.model === 'gpt2' ? byteLevel(vocabulary) : sentencePiece(vocabulary)
}

function byteLevel(vocabulary: GgufVocabulary): Tokenizer {
  const ids = idsOf(vocabulary.tokens)
  const split = wordSplitOf(vocabulary.pre)
  return new BytePairTokenizer({
    ...common(vocabulary, byteLevelBytes),
    words: text => splitWords(text, split),
    // A byte without a token is no part of the text, as the models' own tokenizers have it.
    symbols: word => Array.from(byteLevelText(word), character => ids.get(character) ?? -1).filter(tokenId => tokenId >= 0),
    pairs: mergeTable(vocabulary.merges, ids),
    ...(split.keepsWholeWords && { wholeWord: word => ids.get(byteLevelText(word)) })
  })
}

function sentencePiece(vocabulary: GgufVocabulary): Tokenizer {
  const { tokens, scores, types, addsSpacePrefix } = vocabulary
  const ids = idsOf(tokens)
  const byteIds = Array.from({ length: 256 }, (_, byte) => ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`) ?? -1)
  const bytesOf = (character: string): number[] => Array.from(UTF8.encode(character), byte => byteIds[byte] ?? -1)
  return new BytePairTokenizer({
    ...common(vocabulary, sentencePieceBytes),
    words: text => [(addsSpacePrefix ? ' ' : '') + text],
    symbols: word =>
      Array.from(word.replaceAll(' ', '▁'))
        .flatMap(character => ids.get(character) ?? bytesOf(character))
        .filter(tokenId => tokenId >= 0),
    pairs: scoreTable(tokens, scores, tokenId => types[tokenId] !== CONTROL)
  })
}

function common(vocabulary: GgufVocabulary, bytesOfToken: (token: string) => Uint8Array) {
  const { tokens, types, startTokenIds, endTokenIds } = vocabulary
  const literals = new Map<string, number>()
  const specialIds = new Set<number>()
  for (const [tokenId, token] of tokens.entries()) {
    const type = types[tokenId]
    if (type === CONTROL) specialIds.add(tokenId)
    if (type === CONTROL || type === USER_DEFINED) literals.set(token, tokenId)
  }
  const bytesOf = (tokenId: number): Uint8Array => {
    const token = tokens[tokenId]
    if (token === undefined) return NOTHING
    return literals.has(token) ? UTF8.encode(token) : bytesOfToken(token)
  }
  return { vocabularySize: tokens.length, startTokenIds, endTokenIds, literals, specialIds, bytesOf }
}

function idsOf(tokens: readonly string[]): Map<string, number> {
  return new Map(tokens.map((token, tokenId) => [token, tokenId]))
}
