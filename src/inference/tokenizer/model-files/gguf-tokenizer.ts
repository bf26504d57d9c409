import { sentencePieceBytes } from '../byte-pair/byte-level.ts'
import { byteLevelTokenizer } from '../byte-pair/byte-level-tokenizer.ts'
import { BytePairTokenizer } from '../byte-pair/byte-pair-tokenizer.ts'
import { scoreTable } from '../byte-pair/pair-tables.ts'
import { wordSplitOf } from '../byte-pair/word-split.ts'
import { tokenCountBound } from '../token-count-bound.ts'
import type { Tokenizer } from '../tokenizer.ts'
import { type GgufVocabulary, parseGgufVocabulary } from './gguf-metadata-schema.ts'
import { excludedTokensWarning, withinEmbedding } from './within-embedding.ts'

/**
 * Values of `tokenizer.ggml.token_type`: `<unk>`, control tokens such as `<|im_end|>`, and user-defined tokens.
 * Source: ggml's GGUF specification.
 */
const UNKNOWN = 2
const CONTROL = 3
const USER_DEFINED = 4

const UTF8 = new TextEncoder()

/**
 * The tokenizer inside a GGUF file: byte-level BPE (`gpt2`) or SentencePiece (`llama`).
 *
 * @param metadata       the file's key/value pairs; those of `tokenizer.ggml.` are read
 * @param embeddingRows  tokens beyond them are excluded
 * @throws {ServiceError} `unavailable` when they are missing, malformed or of an unsupported kind
 */
export function tokenizerFromGguf(metadata: ReadonlyMap<string, unknown>, embeddingRows: number = Number.POSITIVE_INFINITY): Tokenizer {
  const vocabulary = parseGgufVocabulary(metadata)
  const parts = common(vocabulary, embeddingRows)
  return vocabulary.model === 'gpt2'
    ? byteLevelTokenizer({ ...parts, split: wordSplitOf(vocabulary.pre) })
    : sentencePiece(vocabulary, parts)
}

function sentencePiece({ scores, addsSpacePrefix }: GgufVocabulary, parts: ReturnType<typeof common>): Tokenizer {
  const { tokens } = parts
  const ids = new Map(tokens.map((token, tokenId) => [token, tokenId]))
  const byteIds = Array.from({ length: 256 }, (_, byte) => ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`) ?? -1)
  const bytesOf = (character: string): number[] => Array.from(UTF8.encode(character), byte => byteIds[byte] ?? -1)
  return new BytePairTokenizer({
    ...parts,
    bytesOf: tokenId => {
      const token = tokens[tokenId] ?? ''
      return parts.literals.get(token) === tokenId ? UTF8.encode(token) : sentencePieceBytes(token)
    },
    // Characters without a token are encoded as bytes; bytes without a token are dropped.
    bound: tokenCountBound({
      tokens: tokens.flatMap(token => (token === undefined ? [] : [token, token.replaceAll('▁', ' ')])),
      mayDrop: unit => byteIds.includes(-1) && (unit >= 0x80 || !ids.has(String.fromCharCode(unit).replace(' ', '▁'))),
      normalizes: false
    }),
    words: text => [(addsSpacePrefix ? ' ' : '') + text],
    symbols: word =>
      Array.from(word.replaceAll(' ', '▁'))
        .flatMap(character => ids.get(character) ?? bytesOf(character))
        .filter(tokenId => tokenId >= 0),
    pairs: scoreTable(tokens, scores, tokenId => !parts.specialIds.has(tokenId))
  })
}

function common({ tokens, merges, types, startTokenIds, statedEnds, warnings }: GgufVocabulary, embeddingRows: number) {
  const literals = new Map<string, number>()
  const specialIds = new Set<number>()
  for (const [tokenId, token] of tokens.entries()) {
    if (token === undefined) continue
    const type = types[tokenId]
    const isSpecial = type === CONTROL || type === UNKNOWN
    if (isSpecial) specialIds.add(tokenId)
    if (isSpecial || type === USER_DEFINED) literals.set(token, tokenId)
  }
  const table = withinEmbedding({ tokens, merges, literals, specialIds, startTokenIds }, embeddingRows)
  const named = tokens.flatMap((token, tokenId) => (token === undefined ? [] : [[tokenId, token] as const]))
  return {
    ...table,
    // Ids that pad the embedding have no token and are never sampled.
    vocabularySize: table.tokens.findLastIndex(token => token !== undefined) + 1,
    statedEnds,
    warnings: [...warnings, ...excludedTokensWarning(named, embeddingRows)]
  }
}
