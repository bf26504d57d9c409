import { float16At } from './half-floats.ts'

/** Unpacked quantized weights: value = code × scale + offset, with scale and offset per block. */
export interface IntegerBlocks {
  readonly blockElements: 16 | 32
  /** Small signed integers, one per element. */
  readonly codes: Int8Array
  /** With offsets, codes are in 0..maxCode. */
  readonly maxCode: number
  /** One per block. */
  readonly scales: Float32Array
  /** One per block; null when all are 0. */
  readonly offsets: Float32Array | null
}

/** The block layout of one quantized type. */
interface Layout {
  /** Bytes per block in the file. */
  readonly bytes: number
  /** Elements per block in the file. */
  readonly elements: number
  readonly blockElements: 16 | 32
  readonly maxCode: number
  readonly hasOffsets: boolean
  /**
   * Unpacks the file's block at byte `at` into elements from `to`; the first block written is `to / blockElements`.
   */
  unpack(bytes: Uint8Array, at: number, to: number, out: { codes: Int8Array; scales: Float32Array; offsets: Float32Array }): void
}

/**
 * Types of integers times a scale, in blocks of 16 or 32. Source: ggml, ggml-common.h (structures) and
 * ggml-quants.c (`dequantize_row_*`). Low nibbles are the first half of a block.
 */
const LAYOUTS: Readonly<Record<string, Layout>> = {
  Q4_0: simple(18, 15, false, (bytes, at, to, { codes, scales }) => {
    scales[to >> 5] = float16At(bytes, at)
    nibbles(bytes, at + 2, 16, codes, to, -8)
  }),
  Q4_1: simple(20, 15, true, (bytes, at, to, { codes, scales, offsets }) => {
    scales[to >> 5] = float16At(bytes, at)
    offsets[to >> 5] = float16At(bytes, at + 2)
    nibbles(bytes, at + 4, 16, codes, to, 0)
  }),
  Q5_0: simple(22, 31, false, (bytes, at, to, { codes, scales }) => {
    scales[to >> 5] = float16At(bytes, at)
    nibbles(bytes, at + 6, 16, codes, to, -16)
    addFifthBits(bytes, at + 2, codes, to)
  }),
  Q5_1: simple(24, 31, true, (bytes, at, to, { codes, scales, offsets }) => {
    scales[to >> 5] = float16At(bytes, at)
    offsets[to >> 5] = float16At(bytes, at + 2)
    nibbles(bytes, at + 8, 16, codes, to, 0)
    addFifthBits(bytes, at + 4, codes, to)
  }),
  Q8_0: simple(34, 127, false, (bytes, at, to, { codes, scales }) => {
    scales[to >> 5] = float16At(bytes, at)
    codes.set(new Int8Array(bytes.buffer, bytes.byteOffset + at + 2, 32), to)
  }),
  Q4_K: {
    ...{ bytes: 144, elements: 256, blockElements: 32, maxCode: 15, hasOffsets: true },
    unpack(bytes, at, to, out) {
      unpackKScales(bytes, at, to, out)
      for (let pair = 0; pair < 4; pair++) nibbles(bytes, at + 16 + pair * 32, 32, out.codes, to + pair * 64, 0)
    }
  },
  Q5_K: {
    ...{ bytes: 176, elements: 256, blockElements: 32, maxCode: 31, hasOffsets: true },
    unpack(bytes, at, to, out) {
      unpackKScales(bytes, at, to, out)
      for (let pair = 0; pair < 4; pair++) nibbles(bytes, at + 48 + pair * 32, 32, out.codes, to + pair * 64, 0)
      for (let i = 0; i < 256; i++) {
        const bit = ((bytes[at + 16 + (i & 31)] ?? 0) >> (i >> 5)) & 1
        out.codes[to + i] = (out.codes[to + i] ?? 0) + (bit << 4)
      }
    }
  },
  Q6_K: {
    ...{ bytes: 210, elements: 256, blockElements: 16, maxCode: 63, hasOffsets: false },
    unpack(bytes, at, to, { codes, scales }) {
      const scale = float16At(bytes, at + 208)
      for (let block = 0; block < 16; block++) scales[(to >> 4) + block] = scale * (((bytes[at + 192 + block] ?? 0) << 24) >> 24)
      for (let i = 0; i < 256; i++) {
        // Halves of 128, quarters of 32: low nibbles of quarters 0 and 1, then high nibbles, two upper bits per
        // quarter.
        const [half, quarter, l] = [i >> 7, (i >> 5) & 3, i & 31]
        const low = ((bytes[at + half * 64 + (quarter & 1) * 32 + l] ?? 0) >> (quarter >> 1 ? 4 : 0)) & 15
        const high = ((bytes[at + 128 + half * 32 + l] ?? 0) >> (quarter * 2)) & 3
        codes[to + i] = (low | (high << 4)) - 32
      }
    }
  }
}

/** Null for floating-point and unsupported types. */
export function integerLayout(typeName: string): Pick<Layout, 'blockElements' | 'maxCode' | 'hasOffsets'> | null {
  return LAYOUTS[typeName] ?? null
}

/** Unpacks whole blocks; null for types without an `integerLayout`. */
export function unpackIntegerBlocks(typeName: string, bytes: Uint8Array): IntegerBlocks | null {
  const layout = LAYOUTS[typeName]
  if (layout === undefined) return null
  const { blockElements, maxCode } = layout
  const elements = (bytes.length / layout.bytes) * layout.elements
  const codes = new Int8Array(elements)
  const scales = new Float32Array(elements / blockElements)
  const offsets = new Float32Array(layout.hasOffsets ? scales.length : 0)
  for (let at = 0, to = 0; to < elements; at += layout.bytes, to += layout.elements)
    layout.unpack(bytes, at, to, { codes, scales, offsets })
  return { blockElements, codes, maxCode, scales, offsets: layout.hasOffsets ? offsets : null }
}

/** A type whose block in the file has 32 elements and one scale. */
function simple(bytes: number, maxCode: number, hasOffsets: boolean, unpack: Layout['unpack']): Layout {
  return { bytes, elements: 32, blockElements: 32, maxCode, hasOffsets, unpack }
}

/** Unpacks `count` bytes: first all low nibbles, then all high ones. */
function nibbles(bytes: Uint8Array, at: number, count: number, codes: Int8Array, to: number, shift: number): void {
  for (let i = 0; i < count; i++) {
    const pair = bytes[at + i] ?? 0
    codes[to + i] = (pair & 15) + shift
    codes[to + count + i] = (pair >> 4) + shift
  }
}

/** Adds the fifth bit of each code from 32 bits, least significant first. */
function addFifthBits(bytes: Uint8Array, at: number, codes: Int8Array, to: number): void {
  for (let i = 0; i < 32; i++) {
    const bit = ((bytes[at + (i >> 3)] ?? 0) >> (i & 7)) & 1
    codes[to + i] = (codes[to + i] ?? 0) + (bit << 4)
  }
}

/**
 * Q4_K and Q5_K: eight 6-bit scales and eight 6-bit minima in 12 bytes, times two float16. Source: `get_scale_min_k4`.
 */
function unpackKScales(
  bytes: Uint8Array,
  at: number,
  to: number,
  { scales, offsets }: { scales: Float32Array; offsets: Float32Array }
): void {
  const scale = float16At(bytes, at)
  const minimum = float16At(bytes, at + 2)
  const packed = (i: number): number => bytes[at + 4 + i] ?? 0
  for (let j = 0; j < 8; j++) {
    const [scaleBits, minimumBits] =
      j < 4
        ? [packed(j) & 63, packed(j + 4) & 63]
        : [(packed(j + 4) & 15) | ((packed(j - 4) >> 6) << 4), (packed(j + 4) >> 4) | ((packed(j) >> 6) << 4)]
    scales[(to >> 5) + j] = scale * scaleBits
    offsets[(to >> 5) + j] = -minimum * minimumBits
  }
}
