import { expect, it } from 'vitest'
import { fillInTheMiddleOf } from '../../../src/inference/tokenizer/fill-in-the-middle.ts'
import type { TextSource } from '../../../src/inference/tokenizer/model-files/text-source.ts'
import type { Tokenizer } from '../../../src/inference/tokenizer/tokenizer.ts'

/** Encodes `literals` as one token, and all other texts by character. */
function tokenizerWith(literals: Readonly<Record<string, number>>): Tokenizer {
  return {
    bound: null,
    vocabularySize: 1000,
    endTokenIds: [],
    bytes: () => new Uint8Array(),
    isSpecial: () => false,
    specialIdOf: () => null,
    warnings: [],
    decoder: () => ({ push: () => '', flush: () => '' }),
    encode: text => (literals[text] === undefined ? Array.from(text, char => char.codePointAt(0) ?? 0) : [literals[text]])
  }
}

const FOLDER: TextSource = { kind: 'folder', path: '.' }

it.each([
  ['<|fim_prefix|>', '<|fim_suffix|>', '<|fim_middle|>'],
  ['<fim_prefix>', '<fim_suffix>', '<fim_middle>'],
  ['<｜fim▁begin｜>', '<｜fim▁hole｜>', '<｜fim▁end｜>']
])('recognizes the tokens %s, %s and %s', (prefix, suffix, middle) => {
  const tokenizer = tokenizerWith({ [prefix]: 900, [suffix]: 901, [middle]: 902 })
  expect(fillInTheMiddleOf(FOLDER, tokenizer)).toEqual({ prefix: 900, suffix: 901, middle: 902 })
})

it('is null when a model lacks one of the three tokens', () => {
  expect(fillInTheMiddleOf(FOLDER, tokenizerWith({ '<fim_prefix>': 900, '<fim_suffix>': 901 }))).toBeNull()
})

it.each([['fim_pre', 'fim_suf', 'fim_mid'] as const, ['prefix', 'suffix', 'middle'] as const])(
  'reads the GGUF keys %s, %s and %s',
  (prefix, suffix, middle) => {
    const metadata = new Map([prefix, suffix, middle].map((name, index) => [`tokenizer.ggml.${name}_token_id`, 7 + index] as const))
    expect(fillInTheMiddleOf({ kind: 'gguf', metadata }, tokenizerWith({}))).toEqual({ prefix: 7, suffix: 8, middle: 9 })
  }
)
