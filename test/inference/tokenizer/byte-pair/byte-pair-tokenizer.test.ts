import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { invariant } from '../../../../src/inference/contract/invariant.ts'
import { BytePairTokenizer } from '../../../../src/inference/tokenizer/byte-pair/byte-pair-tokenizer.ts'
import { tokenCountBound } from '../../../../src/inference/tokenizer/token-count-bound.ts'

/** Each letter is a token; words are separated by spaces. */
const openTokenizer = (): BytePairTokenizer =>
  new BytePairTokenizer({
    vocabularySize: 256,
    statedEnds: [],
    warnings: [],
    startTokenIds: [],
    bound: tokenCountBound({ tokens: [], mayDrop: () => true, normalizes: false }),
    literals: new Map(),
    specialIds: new Set(),
    bytesOf: tokenId => Uint8Array.of(tokenId),
    words: text => text.match(/ ?[^ ]+/g) ?? [],
    symbols: word => Array.from(word, letter => letter.charCodeAt(0)),
    pairs: { find: () => -1, rank: () => 0, tokenId: () => 0 }
  })

function heapBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  invariant(typeof collect === 'function', 'the flag exposes gc')
  collect()
  return process.memoryUsage().heapUsed
}

it('caches words without retaining the texts that they were cut from', () => {
  const tokenizer = openTokenizer()
  const megabyteWith = (word: string): string => Buffer.from(`${'the '.repeat(250_000)}${word}`).toString()
  tokenizer.encode(megabyteWith('warm-up'))
  const before = heapBytes()
  for (let text = 0; text < 20; text++) tokenizer.encode(megabyteWith(`a-word-never-seen-before-${text}`))
  expect(heapBytes() - before).toBeLessThan(5_000_000)
  expect(tokenizer.encode('ab')).toEqual([97, 98])
})
