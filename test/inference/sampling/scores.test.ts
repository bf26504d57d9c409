import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ServiceError } from '../../../src/inference/contract/errors.ts'
import { rankOf, scoreToken } from '../../../src/inference/sampling/scores.ts'

const logit = fc.oneof(fc.double({ min: -60, max: 60, noNaN: true }).map(Math.fround), fc.constantFrom(0, 1, Number.NEGATIVE_INFINITY))
const rows = fc
  .tuple(fc.array(logit, { minLength: 1, maxLength: 60 }), fc.double({ min: -9, max: 9, noNaN: true }), fc.nat())
  .map(([row, finite, at]) => row.with(at % row.length, Math.fround(finite)))

function logSoftmax(row: readonly number[]): number[] {
  const max = Math.max(...row)
  const logTotal = max + Math.log(row.reduce((sum, value) => sum + Math.exp(value - max), 0))
  return row.map(value => (value === Number.NEGATIVE_INFINITY ? -9999 : value - logTotal))
}

it('is the log-softmax of the raw logits', () => {
  fc.assert(
    fc.property(rows, fc.nat(), (row, at) => {
      const tokenId = at % row.length
      expect(scoreToken(Float32Array.from(row), tokenId, { top: 0 })).toEqual({
        logprob: expect.closeTo(logSoftmax(row)[tokenId] ?? 0, 10),
        top: []
      })
    })
  )
})

it('lists the most likely tokens in order, among equals the lowest id first', () => {
  fc.assert(
    fc.property(rows, fc.nat(20), (row, topCount) => {
      const expected = row
        .map((value, tokenId) => ({ tokenId, value }))
        .filter(({ value }) => value > Number.NEGATIVE_INFINITY)
        .sort((a, b) => b.value - a.value || a.tokenId - b.tokenId)
        .slice(0, topCount)
      expect(scoreToken(Float32Array.from(row), 0, { top: topCount }).top.map(({ tokenId }) => tokenId)).toEqual(
        expected.map(({ tokenId }) => tokenId)
      )
    })
  )
})

it('gives a token the same float as in the list of the most likely', () => {
  fc.assert(
    fc.property(rows, row => {
      const logits = Float32Array.from(row)
      for (const { tokenId, logprob } of scoreToken(logits, 0, { top: 20 }).top)
        expect(scoreToken(logits, tokenId, { top: 3 }).logprob).toBe(logprob)
    })
  )
})

it('gives impossible tokens -9999, also for NaN', () => {
  const logits = Float32Array.of(1, Number.NEGATIVE_INFINITY, Number.NaN)
  expect(scoreToken(logits, 1, { top: 2 })).toEqual({ logprob: -9999, top: [{ tokenId: 0, logprob: 0 }] })
  expect(scoreToken(logits, 2, { top: 0 }).logprob).toBe(-9999)
})

it('refuses logits without a finite number', () => {
  expect(() => scoreToken(Float32Array.of(Number.NaN), 0, { top: 1 })).toThrow(ServiceError)
})

it('sums to one over a large vocabulary', () => {
  const logits = Float32Array.from({ length: 20_011 }, (_, id) => ((id * 7919) % 3001) / 100)
  const { logprob } = scoreToken(logits, 0, { top: 0 })
  const mass = logits.reduce((sum, value) => sum + Math.exp(value - (logits[0] ?? 0) + logprob), 0)
  expect(mass).toBeCloseTo(1, 10)
})

it('scores selected tokens instead of the most likely, in order of logprob, with the same floats', () => {
  fc.assert(
    fc.property(rows, fc.array(fc.nat(), { minLength: 1, maxLength: 6 }), (row, picks) => {
      const only = [...new Set(picks.map(at => at % row.length))]
      const logits = Float32Array.from(row)
      const { top } = scoreToken(logits, 0, { top: 3, only })
      expect(new Set(top.map(({ tokenId }) => tokenId))).toEqual(new Set(only))
      for (const { tokenId, logprob } of top) expect(scoreToken(logits, tokenId, { top: 0 }).logprob).toBe(logprob)
      expect(top.map(({ logprob }) => logprob)).toEqual(top.map(({ logprob }) => logprob).toSorted((a, b) => b - a))
    })
  )
})

it('ranks a token after those that are more likely', () => {
  const logits = Float32Array.of(1, 3, 2, 3, Number.NaN, Number.NEGATIVE_INFINITY)
  expect([0, 1, 2, 3].map(tokenId => rankOf(logits, tokenId))).toEqual([4, 1, 3, 1])
})
