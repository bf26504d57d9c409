import type { TokenTable } from '../model-files/within-embedding.ts'
import { type TokenCountBound, tokenCountBound } from '../token-count-bound.ts'
import type { Tokenizer } from '../tokenizer.ts'
import type { VocabularyParts } from '../vocabulary.ts'
import { byteLevelBytes, byteLevelText } from './byte-level.ts'
import { BytePairTokenizer } from './byte-pair-tokenizer.ts'
import { mergeTable } from './pair-tables.ts'
import { splitWords, type WordSplit } from './word-split.ts'

export interface ByteLevelParts extends TokenTable, Pick<VocabularyParts, 'vocabularySize' | 'statedEnds' | 'warnings'> {
  readonly split: WordSplit
}

const UTF8 = new TextEncoder()
/** The UTF-8 encoding of every non-ASCII character has at least one of these. */
const CONTINUATION_BYTES = Array.from({ length: 0x40 }, (_, at) => 0x80 + at)

/**
 * Byte-level BPE as in GPT-2: a vocabulary that writes bytes as characters, and an ordered list of merges.
 */
export function byteLevelTokenizer(parts: ByteLevelParts): Tokenizer {
  const { tokens, split, literals } = parts
  const ids = new Map<string, number>()
  for (const [tokenId, token] of tokens.entries()) if (token !== undefined) ids.set(token, tokenId)
  return new BytePairTokenizer({
    ...parts,
    bytesOf: tokenId => {
      const token = tokens[tokenId] ?? ''
      return literals.get(token) === tokenId ? UTF8.encode(token) : byteLevelBytes(token)
    },
    bound: byteLevelBound(tokens, literals, split.normalization !== undefined),
    words: text => splitWords(text, split),
    // A byte without a token is dropped, as in the reference tokenizers.
    symbols: word => Array.from(byteLevelText(word), character => ids.get(character) ?? -1).filter(tokenId => tokenId >= 0),
    pairs: mergeTable(parts.merges, ids),
    ...(split.keepsWholeWords && { wholeWord: word => ids.get(byteLevelText(word)) })
  })
}

/**
 * A byte without a token is dropped. A non-ASCII character is kept as long as its continuation bytes are, of which it
 * has at least one per UTF-16 unit.
 */
function byteLevelBound(tokens: ByteLevelParts['tokens'], literals: ReadonlyMap<string, number>, normalizes: boolean): TokenCountBound {
  const texts = Array.from(tokens, token => Buffer.from(byteLevelBytes(token ?? '')).toString('latin1'))
  const alone = new Set(texts.filter(text => text.length === 1).map(text => text.charCodeAt(0)))
  const dropsOther = CONTINUATION_BYTES.some(byte => !alone.has(byte))
  return tokenCountBound({
    tokens: [...texts, ...literals.keys()],
    mayDrop: unit => (unit < 0x80 ? !alone.has(unit) : dropsOther),
    normalizes
  })
}
