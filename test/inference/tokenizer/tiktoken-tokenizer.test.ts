import fc from 'fast-check'
import { getEncoding } from 'js-tiktoken'
import { expect, it } from 'vitest'
import { TIKTOKEN_ENCODINGS, tokenizerFromTiktoken } from '../../../src/inference/tokenizer/tiktoken-tokenizer.ts'

it.each(TIKTOKEN_ENCODINGS)('%s gives the ids that js-tiktoken gives, and the text back', async name => {
  const tokenizer = await tokenizerFromTiktoken(name)
  const reference = getEncoding(name)
  const text = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 60 }),
    fc
      .array(fc.constantFrom('the ', ' don’t', "DON'T", '  ', '\n', '12345', '漢字', '😀', '<|endoftext|>', 'aaaa'), { maxLength: 20 })
      .map(parts => parts.join(''))
  )
  // js-tiktoken reads `\s` as JavaScript does; tiktoken itself as Unicode's White_Space, which differs in these two
  // characters.
  const isReadAlike = (original: string): boolean => !/[\ufeff\u0085]/u.test(original)
  fc.assert(
    fc.property(text.filter(isReadAlike), original => {
      const tokenIds = tokenizer.encode(original)
      expect(tokenIds).toEqual(reference.encode(original, 'all'))
      const decoder = tokenizer.decoder({ skipSpecial: false })
      expect(tokenIds.map(tokenId => decoder.push(tokenId)).join('') + decoder.flush()).toBe(original)
    }),
    { numRuns: 100 }
  )
})
