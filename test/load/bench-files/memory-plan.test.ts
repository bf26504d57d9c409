import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type BenchCase, positionsOf, rowsOf } from '../../../load/bench/bench-case.ts'
import { planGroups } from '../../../load/bench-files/memory-plan.ts'

/** Llama 3.2 1B with weights of 4 bits. */
const SIZES = { ourWeights: 0.9e9, peerWeights: 0.8e9, ourCachePerToken: 65_536, peerCachePerToken: 32_768 }
const CASES: readonly BenchCase[] = [
  { kind: 'prefill', tokens: 256 },
  ...[1024, 4096, 8192].flatMap(past => [1, 8, 32].map(rows => ({ kind: 'decode' as const, rows, past, steps: 8 })))
]

function plan(gigabytes: number, cases: readonly BenchCase[] = CASES) {
  return planGroups(cases, SIZES, { availableBytes: gigabytes * 1e9, least: 1 })
}

it('measures each context in processes of its own, with both sides at once where they fit', () => {
  const { groups, skipped } = plan(64)
  expect(groups.map(({ capacity, rows, together }) => ({ capacity, rows, together }))).toEqual([
    { capacity: 1033, rows: 32, together: true },
    { capacity: 4105, rows: 32, together: true },
    { capacity: 8201, rows: 32, together: true }
  ])
  expect(groups[0]?.cases).toHaveLength(4)
  expect(skipped).toEqual([])
})

it('opens one side at a time where both do not fit, and names what fits in no way', () => {
  const alone = plan(22)
  expect(alone.groups.filter(({ together }) => !together)).toEqual([
    { cases: [{ kind: 'decode', rows: 32, past: 8192, steps: 8 }], rows: 32, capacity: 8201, together: false }
  ])
  expect(plan(16).skipped).toEqual(['decode 32 x 8192: needs 18.1 GB of memory, 14.4 GB can be used'])
})

it('never plans more than the memory, and loses no case', () => {
  const someCases = fc.subarray([...CASES], { minLength: 1 })
  fc.assert(
    fc.property(someCases, fc.double({ min: 0.1, max: 64, noNaN: true }), (cases, gigabytes) => {
      const { groups, skipped } = plan(gigabytes, cases)
      expect(groups.flatMap(group => group.cases).length + skipped.length).toBe(cases.length)
      for (const { cases, rows, capacity, together } of groups) {
        for (const what of cases) expect([rowsOf(what) <= rows, positionsOf(what) <= capacity]).toEqual([true, true])
        const [ours, peer] = [SIZES.ourWeights + rows * capacity * 65_536, SIZES.peerWeights + rows * capacity * 32_768]
        expect(together ? ours + peer : Math.max(ours, peer)).toBeLessThanOrEqual(gigabytes * 1e9)
      }
    })
  )
})
