import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ModelFileError } from '../../../../src/inference/weights/model-file-error.ts'
import { dequantize } from '../../../../src/inference/weights/quantization/dequantize.ts'
import { fourBitLayout, toFourBit } from '../../../../src/inference/weights/quantization/four-bit.ts'

const BLOCK_BYTES = { Q4_0: 18, Q4_1: 20, Q4_K: 144 } as const
/** Bytes of a block that are float16: a random one could be an infinity. */
const FLOATS = { Q4_0: [0], Q4_1: [0, 2], Q4_K: [0, 2] } as const

const finiteHalf = fc.integer({ min: 0, max: 0x77ff }).chain(bits => fc.constantFrom(bits, bits | 0x8000))

function blocksOf(type: keyof typeof BLOCK_BYTES): fc.Arbitrary<Uint8Array> {
  const size = BLOCK_BYTES[type]
  const block = fc
    .tuple(fc.uint8Array({ minLength: size, maxLength: size }), fc.array(finiteHalf, { minLength: 2, maxLength: 2 }))
    .map(([bytes, halves]) => {
      for (const [index, at] of FLOATS[type].entries()) new DataView(bytes.buffer).setUint16(at, halves[index] ?? 0, true)
      return bytes
    })
  return fc.array(block, { minLength: 1, maxLength: 4 }).map(blocks => Uint8Array.from(blocks.flatMap(bytes => [...bytes])))
}

it.each(['Q4_0', 'Q4_1', 'Q4_K'] as const)('keeps the values of %s, up to the rounding of an offset', type => {
  fc.assert(
    fc.property(blocksOf(type), bytes => {
      const { codes, scales, offsets } = toFourBit(type, bytes)
      const expected = dequantize(type, bytes)
      expect(codes.length * 2).toBe(expected.length)
      expect(offsets !== null).toBe(fourBitLayout(type)?.hasOffsets)
      for (const [index, value] of expected.entries()) {
        const code = ((codes[index >> 1] ?? 0) >> (4 * (index & 1))) & 15
        const [scale, offset] = [scales[index >> 5] ?? 0, offsets?.[index >> 5] ?? 0]
        const magnitude = Math.abs(offset) + 16 * Math.abs(scale)
        expect(Math.abs((code - 8) * scale + offset - value)).toBeLessThanOrEqual(offsets === null ? 0 : magnitude * 2 ** -22)
      }
    })
  )
})

it.each(['Q5_0', 'Q6_K', 'Q8_0', 'F16'])('refuses %s, which needs more bits', type => {
  expect(fourBitLayout(type)).toBeNull()
  expect(() => toFourBit(type, new Uint8Array(420))).toThrow(ModelFileError)
})
