import fc from 'fast-check'
import { expect, it } from 'vitest'
import { fitAffine, toEightBit } from '../../../../src/inference/weights/quantization/eight-bit.ts'

/** The values of all levels after the fit. */
function levels(scale: number, offset: number, maxCode: number): number[] {
  const fit = fitAffine(scale, offset, maxCode)
  expect(fit.zeroPoint).toBeGreaterThanOrEqual(0)
  expect(fit.zeroPoint).toBeLessThanOrEqual(255)
  return Array.from({ length: maxCode + 1 }, (_, code) => {
    const stored = Math.round(code * fit.step + fit.shift)
    expect(stored).toBeGreaterThanOrEqual(0)
    expect(stored).toBeLessThanOrEqual(255)
    return (stored - fit.zeroPoint) * fit.scale
  })
}

it('fits every affine block into 8 bits with an error of at most a 255th of its range including zero', () => {
  const scale = fc.double({ min: 1e-6, max: 10, noNaN: true })
  const offset = fc.double({ min: -1000, max: 1000, noNaN: true })
  fc.assert(
    fc.property(scale, offset, fc.constantFrom(15, 31), (scale, offset, maxCode) => {
      const ends = [0, offset, offset + scale * maxCode]
      const finest = (Math.max(...ends) - Math.min(...ends)) / 255
      for (const [code, value] of levels(scale, offset, maxCode).entries()) {
        expect(Math.abs(value - (code * scale + offset))).toBeLessThanOrEqual(1.001 * finest)
      }
    })
  )
})

it('preserves the distances between levels exactly when their range includes zero', () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-6, max: 10, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), (scale, part) => {
      const values = levels(scale, -15 * scale * part, 15)
      for (const [code, value] of values.entries()) expect(value - (values[0] ?? 0)).toBeCloseTo(code * scale, 9)
    })
  )
})

it('rounds the offset of a 16-level block by 0.004 scales on average', () => {
  let sum = 0
  const count = 10_000
  for (let i = 0; i < count; i++) {
    const offset = (-15 * (i + 0.5)) / count
    const { shift, zeroPoint, scale } = fitAffine(1, offset, 15)
    sum += Math.abs((shift - zeroPoint) * scale - offset)
  }
  expect(sum / count).toBeLessThan(0.005)
})

it('represents a block whose levels are all equal', () => {
  expect(levels(0, -0.25, 15)).toEqual(Array(16).fill(-0.25))
  expect(levels(0, 0, 15)).toEqual(Array(16).fill(0))
})

it('rounds floats to 127ths of the largest, and keeps zero exact', () => {
  const values = Float32Array.from({ length: 64 }, (_, i) => (i < 32 ? Math.sin(i) : 0))
  const { codes, scales, zeroPoints } = toEightBit('F32', new Uint8Array(values.buffer), 32)
  for (const [i, value] of values.entries()) {
    const block = i >> 5
    const kept = ((codes[i] ?? 0) - (zeroPoints[block] ?? 0)) * (scales[block] ?? 0)
    expect(Math.abs(kept - value)).toBeLessThanOrEqual(0.5001 * (scales[block] ?? 0))
  }
})
