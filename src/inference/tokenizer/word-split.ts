import { ServiceError } from '../contract/errors.ts'

/** How a text falls into words. */
export interface WordSplit {
  /** Applied one after the other, each to the pieces of the one before; every pattern covers every text. */
  readonly patterns: readonly RegExp[]
  readonly normalization?: 'NFC'
  /** A word that is itself a token stays whole. */
  readonly keepsWholeWords?: true
}

/**
 * The pattern as Rust and tiktoken read it: their `\s` is Unicode's White_Space, JavaScript's has U+FEFF and lacks U+0085.
 * Inside a class and outside, `\p{White_Space}` stands where `\s` stood.
 */
export function unicodeSpaces(pattern: string): string {
  return pattern.replaceAll(/\\[\s\S]/g, escape => (escape === '\\s' ? '\\p{White_Space}' : escape === '\\S' ? '\\P{White_Space}' : escape))
}

const pattern = (source: string): RegExp => new RegExp(unicodeSpaces(source), 'gu')

/** Source: the GPT-2 release, `encoder.py`. */
export const GPT2_WORDS = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
const LLAMA3_WORDS = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
const QWEN2_WORDS = LLAMA3_WORDS.replace(String.raw`\p{N}{1,3}`, String.raw`\p{N}`)
const SINGLE_DIGITS = String.raw`\p{N}|\P{N}+`

const GPT2: WordSplit = { patterns: [pattern(GPT2_WORDS)] }

/** For each name that GGUF files use in `tokenizer.ggml.pre`; as the models' own tokenizer.json files say. */
const WORD_SPLITS: ReadonlyMap<string, WordSplit> = new Map([
  ['default', GPT2],
  ['gpt-2', GPT2],
  ['smollm', { patterns: [pattern(SINGLE_DIGITS), pattern(GPT2_WORDS)] }],
  ['llama-bpe', { patterns: [pattern(LLAMA3_WORDS)], keepsWholeWords: true }],
  ['qwen2', { patterns: [pattern(QWEN2_WORDS)], normalization: 'NFC' }]
])

/** @throws {ServiceError} `unavailable` for a name that is not in the table: a guess would give wrong ids in silence */
export function wordSplitOf(name: string): WordSplit {
  const known = WORD_SPLITS.get(name)
  if (known !== undefined) return known
  throw new ServiceError('unavailable', `tokenizer.ggml.pre is ${JSON.stringify(name)}: served are ${[...WORD_SPLITS.keys()].join(', ')}`)
}

export function* splitWords(text: string, { patterns, normalization }: WordSplit): Generator<string> {
  yield* splitBy(normalization === undefined ? text : text.normalize(normalization), patterns, 0)
}

function* splitBy(text: string, patterns: readonly RegExp[], depth: number): Generator<string> {
  const pattern = patterns[depth]
  if (pattern === undefined) yield text
  else for (const [piece] of text.matchAll(pattern)) yield* splitBy(piece, patterns, depth + 1)
}
