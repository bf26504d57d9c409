import type { TiktokenBPE } from 'js-tiktoken/lite'
import { ServiceError } from '../contract/errors.ts'
import { BytePairTokenizer } from './byte-pair/byte-pair-tokenizer.ts'
import { rankTable } from './byte-pair/pair-tables.ts'
import { splitWords, wordPattern } from './byte-pair/word-split.ts'
import type { StatedEnds } from './end-tokens.ts'
import { tokenCountBound } from './token-count-bound.ts'
import type { Tokenizer } from './tokenizer.ts'

/** OpenAI's published encodings, as js-tiktoken ships them. */
export const TIKTOKEN_ENCODINGS = ['gpt2', 'r50k_base', 'p50k_base', 'cl100k_base', 'o200k_base'] as const
export type TiktokenEncodingName = (typeof TIKTOKEN_ENCODINGS)[number]

const RANKS: Readonly<Record<TiktokenEncodingName, () => Promise<{ readonly default: TiktokenBPE }>>> = {
  gpt2: () => import('js-tiktoken/ranks/gpt2'),
  r50k_base: () => import('js-tiktoken/ranks/r50k_base'),
  p50k_base: () => import('js-tiktoken/ranks/p50k_base'),
  cl100k_base: () => import('js-tiktoken/ranks/cl100k_base'),
  o200k_base: () => import('js-tiktoken/ranks/o200k_base')
}

const END_OF_TEXT = '<|endoftext|>'
const UTF8 = new TextEncoder()

/**
 * Loads an encoding in 0.2 seconds or less. Ranks and word patterns come from js-tiktoken; merging does not, because
 * js-tiktoken's is quadratic in the length of a word: one long word would block the thread for minutes.
 *
 * @param statedEnds  end tokens declared in the model's files, in addition to that of the encoding
 */
export async function tokenizerFromTiktoken(name: TiktokenEncodingName, statedEnds: readonly StatedEnds[] = []): Promise<Tokenizer> {
  const ranks = (await RANKS[name]()).default
  const { texts, ids } = readRanks(ranks.bpe_ranks)
  const literals = new Map(Object.entries(ranks.special_tokens))
  const textOfLiteral = new Map([...literals].map(([text, tokenId]) => [tokenId, text]))
  const end = literals.get(END_OF_TEXT)
  if (end === undefined) throw new ServiceError('unavailable', `${name} has no ${END_OF_TEXT}`)
  const split = { patterns: [wordPattern(ranks.pat_str)] }
  return new BytePairTokenizer({
    // The encoding was chosen by its size, which therefore equals the model's vocabulary.
    vocabularySize: Math.max(texts.length, ...[...literals.values()].map(tokenId => tokenId + 1)),
    statedEnds: [...statedEnds, { source: `the encoding ${name}`, tokenIds: [end] }],
    warnings: [],
    startTokenIds: [],
    bound: tokenCountBound({ tokens: [...ids.keys(), ...literals.keys()], mayDrop: () => false, normalizes: false }),
    literals,
    specialIds: new Set(literals.values()),
    bytesOf: tokenId => {
      const literal = textOfLiteral.get(tokenId)
      return literal === undefined ? Buffer.from(texts[tokenId] ?? '', 'latin1') : UTF8.encode(literal)
    },
    words: text => splitWords(text, split),
    symbols: word => Array.from(UTF8.encode(word), byte => ids.get(String.fromCharCode(byte)) ?? 0),
    pairs: rankTable(texts, ids),
    wholeWord: word => ids.get(Buffer.from(word, 'utf8').toString('latin1'))
  })
}

/**
 * Parses js-tiktoken's format: lines of `! <first rank> <token in base64> <token> …`. Returns tokens with one character
 * per byte.
 */
function readRanks(lines: string): { texts: string[]; ids: Map<string, number> } {
  const texts: string[] = []
  const ids = new Map<string, number>()
  for (const line of lines.split('\n')) {
    const [, first, ...tokens] = line.split(' ')
    for (const [at, token] of tokens.entries()) {
      const text = Buffer.from(token, 'base64').toString('latin1')
      texts[Number(first) + at] = text
      ids.set(text, Number(first) + at)
    }
  }
  return { texts, ids }
}
