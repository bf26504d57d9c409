import fc from 'fast-check'
import { expect, it } from 'vitest'
import { SpecialTokens } from '../../../../src/inference/tokenizer/byte-pair/special-tokens.ts'

/** The definition: at each position all tokens are tried, the longest first. */
function splitPlainly(text: string, tokens: readonly string[]): (number | string)[] {
  const found: (number | string)[] = []
  let start = 0
  for (let at = 0; at < text.length; ) {
    const longest = tokens.filter(token => token !== '' && text.startsWith(token, at)).toSorted((a, b) => b.length - a.length)[0]
    if (longest === undefined) {
      at++
      continue
    }
    if (at > start) found.push(text.slice(start, at))
    found.push(tokens.indexOf(longest))
    at += longest.length
    start = at
  }
  if (start < text.length) found.push(text.slice(start))
  return found
}

const letters = fc.constantFrom('a', 'b', '<', '|', '\\', ']', '^', '\n', '\u2028', 'é', '😀', '😃')

it('finds leftmost-longest tokens as defined', () => {
  const tokens = fc.uniqueArray(fc.string({ unit: letters, maxLength: 4 }), { maxLength: 12 })
  fc.assert(
    fc.property(tokens, fc.string({ unit: letters, maxLength: 30 }), (literals, text) => {
      const special = new SpecialTokens(new Map(literals.map((token, tokenId) => [token, tokenId])))
      expect([...special.split(text)]).toEqual(splitPlainly(text, literals))
    }),
    { numRuns: 2000 }
  )
})

it('does not find half of a surrogate pair', () => {
  const special = new SpecialTokens(
    new Map([
      ['\ud83d', 1],
      ['\ude00', 2]
    ])
  )
  expect([...special.split('x😀')]).toEqual(['x😀'])
})

it('supports any number and length of tokens', () => {
  const tokens = new Map(Array.from({ length: 200_000 }, (_, tokenId) => [`<${tokenId}>`, tokenId]))
  const long = 'a'.repeat(20_000_000)
  const special = new SpecialTokens(new Map([...tokens, [long, 200_000]]))
  expect([...special.split('aa<199999>')]).toEqual(['aa', 199_999])
  expect([...special.split(long)]).toEqual([200_000])
})
