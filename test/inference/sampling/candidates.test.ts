import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Candidates } from '../../../src/inference/sampling/candidates.ts'
import { sumExponentials } from '../../../src/inference/sampling/exponential.ts'
import { uniforms } from '../../../src/inference/sampling/noise.ts'
import { SamplingScratch } from '../../../src/inference/sampling/sampling-scratch.ts'
import { scanSoftmax } from '../../../src/inference/sampling/softmax-scan.ts'

const IMPOSSIBLE = [Number.NEGATIVE_INFINITY, Number.NaN]
const aLogit = fc.double({ min: -40, max: 40, noNaN: true }).map(Math.fround)
const rows = fc.array(fc.oneof({ arbitrary: aLogit, weight: 4 }, fc.constantFrom(-1, -0, 0, 2), fc.constantFrom(...IMPOSSIBLE)), {
  minLength: 1,
  maxLength: 60
})

/** More logits than a search collects before it selects. */
function longRow(order: (a: number, b: number) => number, isRounded: boolean): number[] {
  const row = Array.from({ length: 3001 }, (_, id) => Math.fround(9 * uniforms(1, 0, id)[0] - 5))
  return (isRounded ? row.map(Math.round) : row).sort(order)
}

function ids(candidates: Candidates): number[] {
  return Array.from({ length: candidates.count }, (_, index) => candidates.idAt(index))
}

function highestBySorting(row: readonly number[], rank: number, cut: number): number[] {
  return row
    .map((logit, id) => ({ logit, id }))
    .filter(({ logit }) => logit >= cut)
    .sort((a, b) => b.logit - a.logit || a.id - b.id)
    .slice(0, rank)
    .map(({ id }) => id)
    .sort((a, b) => a - b)
}

function highest(row: readonly number[], rank: number, cut: number): number[] {
  return ids(Candidates.highest(Float32Array.from(row), rank, cut, new SamplingScratch(row.length)))
}

describe('the highest logits', () => {
  it('are those found by sorting', () => {
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 70 }), fc.constantFrom(-1e9, -1, 0, 3), (row, rank, cut) => {
        expect(highest(row, rank, cut)).toEqual(highestBySorting(row, rank, cut))
      })
    )
  })

  it.each([
    ['rising', (a: number, b: number) => a - b],
    ['falling', (a: number, b: number) => b - a],
    ['mixed', () => 0]
  ] as const)('are those found by sorting in long rows, %s, with and without many equal logits', (_, order) => {
    for (const isRounded of [false, true]) {
      const row = longRow(order, isRounded)
      for (const rank of [1, 40, 700, 2999]) expect(highest(row, rank, -1e9).join()).toBe(highestBySorting(row, rank, -1e9).join())
    }
  })
})

describe('a scan of a softmax', () => {
  it('bounds the weight of the far logits within four millionths, and collects all near the top', () => {
    fc.assert(
      fc.property(rows, aLogit, fc.double({ min: 0.05, max: 2, noNaN: true }), (others, finite, temperature) => {
        const row = [...others, finite]
        const logits = Float32Array.from(row)
        const max = Math.max(...row.filter(logit => !Number.isNaN(logit)))
        const cut = max - temperature * 40
        const near = max - temperature * 7
        const scratch = new SamplingScratch(row.length)
        const { least, most, count } = scanSoftmax({ logits, max, temperature, cut, near }, scratch)
        const far = logits.map(logit => (logit < near ? logit : Number.NaN))
        const exact = sumExponentials(far, max, 1 / temperature, cut, 0, row.length)
        expect(least).toBeLessThanOrEqual(exact * (1 + 1e-12))
        expect(most).toBeGreaterThanOrEqual(exact * (1 - 1e-12))
        expect(most - least).toBeLessThanOrEqual(4e-6 * least)
        expect(ids(new Candidates(scratch, count))).toEqual(highestBySorting(row, row.length, near))
      })
    )
  })
})
