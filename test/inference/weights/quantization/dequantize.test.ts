import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { dequantize } from '../../../../src/inference/weights/quantization/dequantize.ts'
import { eightBitLayout, toEightBit } from '../../../../src/inference/weights/quantization/eight-bit.ts'

interface Case {
  readonly type: string
  readonly bytes: Uint8Array
  readonly values: Float32Array
}

const CASES: Case[] = JSON.parse(readFileSync(new URL('dequantized.json', import.meta.url), 'utf8')).map(
  (item: { type: string; bytes: string; values: string }) => ({
    type: item.type,
    bytes: Uint8Array.from(Buffer.from(item.bytes, 'base64')),
    values: new Float32Array(Uint8Array.from(Buffer.from(item.values, 'base64')).buffer)
  })
)

it.each(CASES)('dequantizes $type bit-identically to ggml', ({ type, bytes, values }) => {
  expect([...dequantize(type, bytes)]).toEqual([...values])
})

it.each(CASES.filter(({ type }) => /^Q/.test(type)))('preserves the values of $type in 8 bits', ({ type, bytes, values }) => {
  const { blockElements, hasZeroPoints } = eightBitLayout(type)
  for (const size of new Set([blockElements, 16])) {
    const { codes, scales, zeroPoints } = toEightBit(type, bytes, size)
    expect(scales).toHaveLength(values.length / size)
    for (const [i, value] of values.entries()) {
      const block = Math.floor(i / size)
      const kept = ((codes[i] ?? 0) - (zeroPoints[block] ?? 0)) * (scales[block] ?? 0)
      const largest = Math.max(...values.subarray(block * size, (block + 1) * size).map(Math.abs))
      // With an offset: within half a step of the finest grid that contains the block and zero.
      expect(Math.abs(kept - value)).toBeLessThanOrEqual(hasZeroPoints ? largest / 255 : 1e-6 * largest)
    }
  }
})

it('refuses an unsupported type by name', () => {
  expect(() => dequantize('IQ2_XXS', new Uint8Array(66))).toThrow('weights of type IQ2_XXS are not supported')
})
