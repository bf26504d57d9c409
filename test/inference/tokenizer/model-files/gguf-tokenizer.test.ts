import { expect, it } from 'vitest'
import { ServiceError } from '../../../../src/inference/contract/errors.ts'
import { tokenizerFromGguf } from '../../../../src/inference/tokenizer/model-files/gguf-tokenizer.ts'

/** Letters, two merges and a control token. */
const TOKENS = ['<|start|>', 'a', 'b', 'c', 'Ġ', 'ab', 'abc', '1', 'â', 'Ĥ', '¬']
const METADATA = new Map<string, unknown>([
  ['tokenizer.ggml.model', 'gpt2'],
  ['tokenizer.ggml.pre', 'smollm'],
  ['tokenizer.ggml.tokens', TOKENS],
  ['tokenizer.ggml.merges', ['a b', 'ab c']],
  ['tokenizer.ggml.token_type', TOKENS.map(token => (token.startsWith('<|') ? 3 : 1))],
  ['tokenizer.ggml.bos_token_id', 0],
  ['tokenizer.ggml.eos_token_id', 0]
])

it('merges pairs in order of rank, splits digits, and matches control tokens in the text', () => {
  expect(tokenizerFromGguf(METADATA).encode('abc<|start|>ab11')).toEqual([6, 0, 5, 7, 7])
})

it('prepends the start token if add_bos_token is true', () => {
  const metadata = new Map([...METADATA, ['tokenizer.ggml.add_bos_token', true] as const])
  expect(tokenizerFromGguf(metadata).encode('ab')).toEqual([0, 5])
})

it('warns about a start token that does not exist, and does not use it', () => {
  const metadata = new Map([...METADATA, ['tokenizer.ggml.add_bos_token', true] as const, ['tokenizer.ggml.bos_token_id', 99] as const])
  const tokenizer = tokenizerFromGguf(metadata)
  expect(tokenizer.encode('ab')).toEqual([5])
  expect(tokenizer.warnings).toEqual([expect.stringContaining('the start token 99, but the model has 11 tokens')])
})

it.each([
  { pre: 'llama-bpe', added: undefined, tokenIds: [0, 5] },
  { pre: 'llama-bpe', added: false, tokenIds: [5] },
  { pre: 'gpt-2', added: undefined, tokenIds: [5] }
])('encodes as $tokenIds for $pre when add_bos_token is $added', ({ pre, added, tokenIds }) => {
  const metadata = new Map([...METADATA, ['tokenizer.ggml.pre', pre] as const, ['tokenizer.ggml.add_bos_token', added] as const])
  expect(tokenizerFromGguf(metadata).encode('ab')).toEqual(tokenIds)
})

it('ends at each end token that the file names', () => {
  const ends = { eos: 0, eot: 1, eom: 2 }
  const keys = Object.entries(ends).map(([end, tokenId]) => [`tokenizer.ggml.${end}_token_id`, tokenId] as const)
  expect(tokenizerFromGguf(new Map([...METADATA, ...keys])).endTokenIds).toEqual([0, 1, 2])
})

it('warns when the file does not name its pre-tokenizer, and uses that of GPT-2', () => {
  const metadata = new Map([...METADATA].filter(([key]) => key !== 'tokenizer.ggml.pre'))
  const tokenizer = tokenizerFromGguf(metadata)
  expect(tokenizer.warnings).toEqual([expect.stringContaining('the file has no tokenizer.ggml.pre')])
  expect(tokenizer.encode('abc')).toEqual(tokenizerFromGguf(new Map([...metadata, ['tokenizer.ggml.pre', 'gpt-2'] as const])).encode('abc'))
  expect(
    tokenizerFromGguf(new Map([...metadata, ['tokenizer.ggml.model', 'llama'] as const])).warnings,
    'SentencePiece has no pre-tokenizer'
  ).toEqual([])
  expect(tokenizerFromGguf(METADATA).warnings).toEqual([])
})

it('returns the bytes of a token, also of an incomplete character', () => {
  const tokenizer = tokenizerFromGguf(METADATA)
  expect([8, 9, 10].map(tokenId => [...tokenizer.bytes(tokenId)])).toEqual([[0xe2], [0x82], [0xac]])
  expect([...tokenizer.bytes(99)]).toEqual([])
})

it.each([
  ['tokenizer.ggml.model', 'bert'],
  ['tokenizer.ggml.pre', 'unheard-of'],
  ['tokenizer.ggml.tokens', [1, 2]],
  ['tokenizer.ggml.scores', ['high']],
  ['tokenizer.ggml.token_type', [[3]]],
  ['tokenizer.ggml.eos_token_id', -5]
])('refuses %s = %j by name', (key, value) => {
  const open = (): unknown => tokenizerFromGguf(new Map([...METADATA, [key, value] as const]))
  expect(open).toThrow(ServiceError)
  expect(open).toThrow(key)
})
