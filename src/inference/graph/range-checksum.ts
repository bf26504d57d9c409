import { crc32 } from 'node:zlib'
import { invariant } from '../contract/invariant.ts'

/** A range of a file and the CRC-32 of its content. */
export interface WrittenRange {
  readonly offset: number
  readonly bytes: number
  readonly checksum: number
}

/** The polynomial of CRC-32 with the bit order of zlib: bit 31 is the coefficient of x⁰. */
const POLYNOMIAL = 0xedb88320
const X_TO_0 = 0x80000000
const X_TO_8 = 0x00800000

/**
 * CRC-32 of a file of `fileBytes` bytes from those of ranges that do not overlap, in any order; all other bytes are 0.
 * Threads so compute the checksum of a file that none of them writes in order.
 */
export function checksumOfRanges(ranges: readonly WrittenRange[], fileBytes: number): number {
  let checksum = 0
  let end = 0
  // An empty range may begin where another one does.
  for (const range of ranges.filter(({ bytes }) => bytes > 0).toSorted((a, b) => a.offset - b.offset)) {
    invariant(range.offset >= end, `the range at ${range.offset} overlaps one that ends at ${end}`)
    checksum = joined(crc32(new Uint8Array(range.offset - end), checksum), range.checksum, range.bytes)
    end = range.offset + range.bytes
  }
  invariant(end <= fileBytes, `a range ends at ${end} in a file of ${fileBytes} bytes`)
  return crc32(new Uint8Array(fileBytes - end), checksum)
}

/**
 * CRC-32 of two ranges, one after the other. A CRC is a remainder of polynomials: `bytes` further bytes multiply the
 * first one by x to the power of 8 × bytes.
 */
function joined(first: number, second: number, bytes: number): number {
  let shift = X_TO_0
  let power = X_TO_8
  for (let left = bytes; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) shift = product(shift, power)
    power = product(power, power)
  }
  return (product(shift, first) ^ second) >>> 0
}

/** Product of two polynomials modulo that of CRC-32. */
function product(left: number, right: number): number {
  let sum = 0
  let shifted = right
  for (let bit = 31; bit >= 0; bit--) {
    if ((left >>> bit) & 1) sum ^= shifted
    shifted = shifted & 1 ? (shifted >>> 1) ^ POLYNOMIAL : shifted >>> 1
  }
  return sum >>> 0
}
