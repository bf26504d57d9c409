import fc from 'fast-check'
import { expect, it } from 'vitest'
import { exponential, MAX_VOCABULARY, negligible } from '../../../src/inference/sampling/exponential.ts'

it('agrees with Math.exp to 1e-14 down to -55', () => {
  fc.assert(
    fc.property(fc.double({ min: -55, max: 0, noNaN: true }), y => {
      expect(Math.abs(exponential(y) / Math.exp(y) - 1)).toBeLessThan(1e-14)
    }),
    { numRuns: 5000 }
  )
})

it('is exactly 1 at 0', () => {
  expect(exponential(0)).toBe(1)
})

it('is monotonic, within rounding', () => {
  for (let step = -5500; step < 0; step++) expect(exponential((step + 1) / 100)).toBeGreaterThan(exponential(step / 100))
})

it('covers the range that the largest vocabulary needs', () => {
  expect(negligible(MAX_VOCABULARY)).toBeLessThan(55)
  expect(MAX_VOCABULARY * Math.exp(-negligible(MAX_VOCABULARY))).toBeCloseTo(2 ** -53, 30)
})
