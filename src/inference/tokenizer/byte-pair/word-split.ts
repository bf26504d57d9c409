import { ServiceError } from '../../contract/errors.ts'

/** How a text is split into words. */
export interface WordSplit {
  /**
   * Applied in order, each to the pieces of the previous one. Text between two matches is a piece too.
   */
  readonly patterns: readonly RegExp[]
  readonly normalization?: 'NFC'
  /** A word that is itself a token is not split further. */
  readonly keepsWholeWords?: true
}

/**
 * The pattern with the semantics of Rust and tiktoken: their `\s` is Unicode's White_Space; JavaScript's includes
 * U+FEFF and lacks U+0085. `\s` is replaced by `\p{White_Space}`, inside and outside of classes.
 */
function unicodeSpaces(pattern: string): string {
  return pattern.replaceAll(/\\[\s\S]/g, pair => (pair === '\\s' ? '\\p{White_Space}' : pair === '\\S' ? '\\P{White_Space}' : pair))
}

/** A pattern whose matches are words. */
export const wordPattern = (source: string): RegExp => new RegExp(unicodeSpaces(source), 'gu')

/** Source: the GPT-2 release, `encoder.py`. */
export const GPT2_WORDS = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
const LLAMA3_WORDS = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
const QWEN2_WORDS = LLAMA3_WORDS.replace(String.raw`\p{N}{1,3}`, String.raw`\p{N}`)
export const SINGLE_DIGITS = String.raw`\p{N}|\P{N}+`

const GPT2: WordSplit = { patterns: [wordPattern(GPT2_WORDS)] }
const GPT2_SINGLE_DIGITS: WordSplit = { patterns: [wordPattern(SINGLE_DIGITS), wordPattern(GPT2_WORDS)] }
const LLAMA3: WordSplit = { patterns: [wordPattern(LLAMA3_WORDS)], keepsWholeWords: true }

/** By the value of `tokenizer.ggml.pre` in GGUF files. Source: the models' tokenizer.json files. */
const WORD_SPLITS: ReadonlyMap<string, WordSplit> = new Map([
  ['default', GPT2],
  ['gpt-2', GPT2],
  ['phi-2', GPT2],
  ['smollm', GPT2_SINGLE_DIGITS],
  ['starcoder', GPT2_SINGLE_DIGITS],
  ['refact', GPT2_SINGLE_DIGITS],
  ['llama-bpe', LLAMA3],
  ['llama3', LLAMA3],
  ['llama-v3', LLAMA3],
  ['qwen2', { patterns: [wordPattern(QWEN2_WORDS)], normalization: 'NFC' }]
])

/** @throws {ServiceError} `unavailable` for a name that is not in the table: a guess would silently give wrong ids */
export function wordSplitOf(name: string): WordSplit {
  const known = WORD_SPLITS.get(name)
  if (known !== undefined) return known
  throw new ServiceError(
    'unavailable',
    `tokenizer.ggml.pre is ${JSON.stringify(name)}, supported are ${[...WORD_SPLITS.keys()].join(', ')}`
  )
}

export function* splitWords(text: string, { patterns, normalization }: WordSplit): Generator<string> {
  yield* splitBy(normalization === undefined ? text : text.normalize(normalization), patterns, 0)
}

function* splitBy(text: string, patterns: readonly RegExp[], depth: number): Generator<string> {
  const pattern = patterns[depth]
  if (pattern === undefined) {
    yield text
    return
  }
  let end = 0
  for (const match of text.matchAll(pattern)) {
    if (match.index > end) yield* splitBy(text.slice(end, match.index), patterns, depth + 1)
    if (match[0] !== '') yield* splitBy(match[0], patterns, depth + 1)
    end = match.index + match[0].length
  }
  if (end < text.length) yield* splitBy(text.slice(end), patterns, depth + 1)
}
