import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { checksumOfRanges } from '../../../src/inference/graph/range-checksum.ts'

it('equals the checksum of the whole file, for any ranges in any order with zeros between them', () => {
  const part = fc.record({
    gap: fc.oneof(fc.constant(0), fc.nat(5000)),
    content: fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constant(new Uint8Array(0))),
    order: fc.nat()
  })
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), fc.nat(5000), (parts, tail) => {
      let end = 0
      const ranges = parts.map(({ gap, content, order }) => {
        const offset = end + gap
        end = offset + content.length
        return { offset, bytes: content.length, checksum: crc32(content), content, order }
      })
      const file = new Uint8Array(end + tail)
      for (const { offset, content } of ranges) file.set(content, offset)
      expect(
        checksumOfRanges(
          ranges.toSorted((a, b) => a.order - b.order),
          file.length
        )
      ).toBe(crc32(file))
    })
  )
})

it('joins ranges of more than 4 GiB', () => {
  // Of zeros: a range of zeros has the checksum of a gap of the same length.
  const [half, tail] = [2 ** 31, Uint8Array.of(1, 2, 3)]
  const zeros = checksumOfZeros(half)
  const last = { offset: 2 * half, bytes: tail.length, checksum: crc32(tail) }
  const halves = [0, half].map(offset => ({ offset, bytes: half, checksum: zeros }))
  const whole = { offset: 0, bytes: 2 * half, checksum: checksumOfRanges(halves, 2 * half) }
  expect(checksumOfRanges([whole, last], last.offset + tail.length)).toBe(checksumOfRanges([...halves, last], last.offset + tail.length))
})

/** By doubling. */
function checksumOfZeros(bytes: number): number {
  if (bytes === 1) return crc32(new Uint8Array(1))
  const checksum = checksumOfZeros(bytes / 2)
  return checksumOfRanges(
    [0, bytes / 2].map(offset => ({ offset, bytes: bytes / 2, checksum })),
    bytes
  )
}

it('refuses ranges that overlap', () => {
  const range = { bytes: 10, checksum: 0 }
  expect(() =>
    checksumOfRanges(
      [
        { offset: 0, ...range },
        { offset: 9, ...range }
      ],
      30
    )
  ).toThrow(/overlaps/)
})
