import { expect, it } from 'vitest'
import { tokenizerFromGguf } from '../../../../src/inference/tokenizer/model-files/gguf-tokenizer.ts'

const BYTES = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`)
const PIECES = ['<unk>', '<s>', '</s>', '▁', 'a', 'b', 'ab', '▁a', '▁ab']
const TOKENS = [...PIECES, ...BYTES]
const id = (token: string): number => TOKENS.indexOf(token)
const METADATA = new Map<string, unknown>([
  ['tokenizer.ggml.model', 'llama'],
  ['tokenizer.ggml.tokens', TOKENS],
  ['tokenizer.ggml.scores', TOKENS.map((_, tokenId) => -tokenId)],
  [
    'tokenizer.ggml.token_type',
    TOKENS.map(token => (token === '<unk>' ? 2 : /^<\/?s>$/.test(token) ? 3 : token.startsWith('<0x') ? 6 : 1))
  ],
  ['tokenizer.ggml.bos_token_id', 1],
  ['tokenizer.ggml.eos_token_id', 2]
])
const tokenizer = tokenizerFromGguf(METADATA)

it('prepends the start token and a space, and merges by score', () => {
  expect(tokenizer.encode('ab a')).toEqual([1, id('▁ab'), id('▁a')])
})

it('encodes characters without a token as bytes, and decodes them', () => {
  const tokenIds = tokenizer.encode('a🙂')
  expect(tokenIds).toEqual([1, id('▁a'), ...[0xf0, 0x9f, 0x99, 0x82].map(byte => id(BYTES[byte] ?? ''))])
  const decoder = tokenizer.decoder({ skipSpecial: true })
  expect(tokenIds.map(tokenId => decoder.push(tokenId)).join('') + decoder.flush()).toBe(' a🙂')
})

it('prepends no space if add_space_prefix is false', () => {
  expect(tokenizerFromGguf(new Map([...METADATA, ['tokenizer.ggml.add_space_prefix', false] as const])).encode('ab')).toEqual([1, id('ab')])
})

it('treats the unknown token as a control token', () => {
  expect(tokenizer.encode('<unk>a')).toEqual([1, id('<unk>'), id('▁a')])
  expect(tokenizer.isSpecial(id('<unk>'))).toBe(true)
})
