import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { invariant } from '../../../src/inference/contract/invariant.ts'
import { tokenizerFromFolder } from '../../../src/inference/tokenizer/model-files/folder-tokenizer.ts'
import { tokenizerFromGguf } from '../../../src/inference/tokenizer/model-files/gguf-tokenizer.ts'
import { tokenizerFromTiktoken } from '../../../src/inference/tokenizer/tiktoken-tokenizer.ts'
import { leastTokens } from '../../../src/inference/tokenizer/token-count-bound.ts'
import type { Tokenizer } from '../../../src/inference/tokenizer/tokenizer.ts'
import { WordListTokenizer } from '../../../src/inference/tokenizer/word-list-tokenizer.ts'

/** The byte-level character of each byte. */
const BYTES = Array.from({ length: 256 }, (_, byte) => {
  const isPrintable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
  return isPrintable ? String.fromCharCode(byte) : null
})
let next = 0x100
const LETTERS = BYTES.map(letter => letter ?? String.fromCharCode(next++))
const MERGED = ['aa', 'aaaa', 'Ãł', 'KK', 'KKKK']

/** @param lacking  bytes without a token */
function byteLevel(pre: string, lacking: readonly number[] = []): Tokenizer {
  const tokens = [...LETTERS.filter((_, byte) => !lacking.includes(byte)), ...MERGED, '<|a long control token|>']
  return tokenizerFromGguf(
    new Map<string, unknown>([
      ['tokenizer.ggml.model', 'gpt2'],
      ['tokenizer.ggml.pre', pre],
      ['tokenizer.ggml.tokens', tokens],
      ['tokenizer.ggml.token_type', tokens.map(token => (token.startsWith('<|') ? 3 : 1))],
      ['tokenizer.ggml.merges', ['a a', 'aa aa', 'Ã ł', 'K K', 'KK KK']]
    ])
  )
}

/** @param bytes  number of tokens for single bytes */
function sentencePiece(bytes: number): Tokenizer {
  const byteTokens = Array.from({ length: bytes }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`)
  const tokens = ['<unk>', '<s>', '▁', 'a', '▁a', 'aa', '▁▁', '▁▁▁▁', 'é', 'éé', ...byteTokens]
  return tokenizerFromGguf(
    new Map<string, unknown>([
      ['tokenizer.ggml.model', 'llama'],
      ['tokenizer.ggml.tokens', tokens],
      ['tokenizer.ggml.scores', tokens.map((_, tokenId) => -tokenId)],
      ['tokenizer.ggml.token_type', tokens.map(token => (token === '<unk>' ? 2 : token === '<s>' ? 3 : token.startsWith('<0x') ? 6 : 1))]
    ])
  )
}

const TOKENIZERS: readonly { readonly name: string; readonly open: () => Tokenizer | Promise<Tokenizer> }[] = [
  { name: 'bytes', open: () => new WordListTokenizer({ words: [' yes'], chatTemplate: '' }) },
  { name: 'byte-level, of a GGUF file', open: () => byteLevel('gpt-2') },
  { name: 'byte-level with NFC', open: () => byteLevel('qwen2') },
  { name: 'byte-level without some ASCII', open: () => byteLevel('gpt-2', [0x20, 0x62, 0x65]) },
  { name: 'byte-level without a continuation byte', open: () => byteLevel('qwen2', [0x81]) },
  {
    name: 'byte-level, of a tokenizer.json',
    open: () => tokenizerFromFolder(join(import.meta.dirname, '../../fixtures/tokenizer/byte-level'))
  },
  { name: 'SentencePiece', open: () => sentencePiece(256) },
  { name: 'SentencePiece without bytes', open: () => sentencePiece(0) },
  { name: 'tiktoken', open: () => tokenizerFromTiktoken('gpt2') }
]

const piece = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    'a'.repeat(64),
    ' '.repeat(64),
    'K'.repeat(9),
    '\u212a'.repeat(9),
    '\u037e',
    '\u1fef',
    '<|a long control token|>',
    '<|endoftext|>'
  ),
  // Characters that NFC composes: four to one, three to one, two surrogate pairs to one pair.
  fc.constantFrom('\u03b1\u0313\u0300\u0345', '\u1112\u1161\u11ab', 'e\u0301', '\u{11099}\u{110ba}', '\u{2f800}', '\ud800', '▁▁▁▁', 'éé')
)
const text = fc
  .array(fc.tuple(piece, fc.integer({ min: 1, max: 20 })).map(([one, times]) => one.repeat(times)))
  .map(pieces => pieces.join(''))

describe.each(TOKENIZERS)('the bound of $name', ({ open }) => {
  it('is never above the number of tokens', async () => {
    const tokenizer = await open()
    const { bound } = tokenizer
    invariant(bound !== null, 'it has a bound')
    fc.assert(
      fc.property(text, one => {
        const tokens = tokenizer.encode(one, { addSpecialTokens: false }).length
        const least = leastTokens(one, bound, 1e9)
        expect(least).toBeLessThanOrEqual(tokens)
        for (const enough of [1, least, tokens]) expect(leastTokens(one, bound, enough)).toBe(Math.min(least, enough))
      }),
      { numRuns: 300 }
    )
  })
})

it('is linear in the text, and each unit costs 1 / length of the longest token that contains it', async () => {
  const { bound } = byteLevel('gpt-2')
  invariant(bound !== null, 'it has a bound')
  expect([leastTokens('b'.repeat(1000), bound, 1e9), leastTokens('\n'.repeat(1000), bound, 1e9), leastTokens('', bound, 1e9)]).toEqual([
    1000, 1000, 0
  ])
  // The control token contains `a` and has 24 characters.
  expect(leastTokens('a'.repeat(2400), bound, 1e9)).toBe(100)
})
