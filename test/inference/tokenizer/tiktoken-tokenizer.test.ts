import fc from 'fast-check'
import { getEncoding } from 'js-tiktoken'
import { expect, it } from 'vitest'
import { TIKTOKEN_ENCODINGS, tokenizerFromTiktoken } from '../../../src/inference/tokenizer/tiktoken-tokenizer.ts'

it.each(TIKTOKEN_ENCODINGS)('%s encodes as js-tiktoken does, and decodes to the same text', async name => {
  const tokenizer = await tokenizerFromTiktoken(name)
  const reference = getEncoding(name)
  const text = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 60 }),
    fc
      .array(fc.constantFrom('the ', ' don’t', "DON'T", '  ', '\n', '12345', '漢字', '😀', '<|endoftext|>', 'aaaa'), { maxLength: 20 })
      .map(parts => parts.join(''))
  )
  // `\s` has JavaScript's semantics in js-tiktoken and is Unicode's White_Space in tiktoken; they differ in these two
  // characters.
  const isUnambiguous = (original: string): boolean => !/[\ufeff\u0085]/u.test(original)
  fc.assert(
    fc.property(text.filter(isUnambiguous), original => {
      const tokenIds = tokenizer.encode(original)
      expect(tokenIds).toEqual(reference.encode(original, 'all'))
      const decoder = tokenizer.decoder({ skipSpecial: false })
      expect(tokenIds.map(tokenId => decoder.push(tokenId)).join('') + decoder.flush()).toBe(original)
    }),
    { numRuns: 100 }
  )
})
