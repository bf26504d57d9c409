import fc from 'fast-check'
import { expect, it } from 'vitest'
import { mergePairs, type PairTable } from '../../../../src/inference/tokenizer/byte-pair/merge-pairs.ts'
import { mergeTable } from '../../../../src/inference/tokenizer/byte-pair/pair-tables.ts'

const SYMBOLS = 3
/** Merges of random earlier tokens; merge m results in token SYMBOLS + m. */
const tableOf = (choices: readonly (readonly [number, number])[]): PairTable => {
  const pairs = choices.map(([left, right], merge) => [left % (SYMBOLS + merge), right % (SYMBOLS + merge)] as const)
  return {
    find: (left, right) => pairs.findIndex(pair => pair[0] === left && pair[1] === right),
    rank: merge => merge,
    tokenId: merge => SYMBOLS + merge
  }
}

/** The definition: scan all pairs before each merge. */
function mergePlainly(symbols: readonly number[], pairs: PairTable): number[] {
  const ids = [...symbols]
  for (;;) {
    const merges = ids.slice(1).map((right, at) => pairs.find(ids[at] ?? 0, right))
    const best = merges.reduce((least, merge) => (merge >= 0 && (least < 0 || merge < least) ? merge : least), -1)
    if (best < 0) return ids
    ids.splice(merges.indexOf(best), 2, pairs.tokenId(best))
  }
}

it('merges as defined', () => {
  const choices = fc.array(fc.tuple(fc.nat(20), fc.nat(20)), { maxLength: 20 })
  fc.assert(
    fc.property(fc.array(fc.nat(SYMBOLS - 1), { maxLength: 40 }), choices, (symbols, choice) => {
      const table = tableOf(choice)
      expect(mergePairs(symbols, table)).toEqual(mergePlainly(symbols, table))
    }),
    { numRuns: 1000 }
  )
})

it('finds exactly the merges of the list, also when ids have holes', () => {
  const letters = ['a', 'b', 'c', 'd']
  const tokens = [...letters, ...letters.flatMap(left => letters.map(right => left + right))]
  const ids = fc.uniqueArray(fc.nat(60), { minLength: tokens.length, maxLength: tokens.length })
  const merges = fc.subarray(letters.flatMap(left => letters.map(right => `${left} ${right}`)))
  fc.assert(
    fc.property(ids, merges, (idOf, lines) => {
      const table = mergeTable(lines, new Map(tokens.map((token, at) => [token, idOf[at] ?? -1])))
      for (const [left, leftText] of tokens.entries()) {
        for (const [right, rightText] of tokens.entries()) {
          expect(table.find(idOf[left] ?? -1, idOf[right] ?? -1)).toBe(lines.indexOf(`${leftText} ${rightText}`))
        }
      }
    })
  )
})
