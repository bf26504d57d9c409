/** How ggml stores a tensor's elements, and how random bytes become weights of a wanted standard deviation. */
export interface BlockType {
  /** ggml's number of the type. */
  readonly id: number
  readonly elements: number
  readonly bytes: number
  /** Root mean square of a block's elements at a scale of 1, if all other bytes are random. */
  readonly rootMeanSquare: number
  /**
   * Turns random bytes into a block; `scale` is the block's scale. The mean over many blocks must be 0: a common offset
   * of all weights would grow from layer to layer.
   */
  readonly shape: (view: DataView, at: number, scale: number) => void
}

export type BlockTypeName =
  | ('F32' | 'F16' | 'BF16')
  | ('Q4_0' | 'Q4_1' | 'Q5_0' | 'Q5_1' | 'Q8_0')
  | ('Q2_K' | 'Q3_K' | 'Q4_K' | 'Q5_K' | 'Q6_K')
  | ('IQ4_NL' | 'IQ4_XS')

/** Floats have no blocks; they are made in groups of this many. */
const FLOATS = 32

/** Standard deviations of uniform codes of 2, 4 and 5 bits around their mean; of signed ones, the root mean square. */
const CENTRED = { 2: 1.118, 4: 4.61, 5: 9.23 } as const
const SIGNED = { 3: 2.345, 4: 4.637, 5: 9.247, 6: 18.48, 8: 73.9 } as const
/** Of the values that the codes of IQ4_NL and IQ4_XS stand for. */
const NON_LINEAR = 68.6
/** Of unsigned scales of 4 and 6 bits. */
const UNSIGNED = { 4: 8.8, 6: 36.66 } as const

/** Layouts. Source: the block structures of ggml-common.h. */
export const BLOCK_TYPES: Readonly<Record<BlockTypeName, BlockType>> = {
  F32: floats(0, 4, (view, at, value) => view.setFloat32(at, value, true)),
  F16: floats(1, 2, (view, at, value) => view.setFloat16(at, value, true)),
  BF16: floats(30, 2, (view, at, value) => {
    BITS.setFloat32(0, value)
    view.setUint16(at, BITS.getUint16(0), true)
  }),
  Q4_0: { id: 2, elements: 32, bytes: 18, rootMeanSquare: SIGNED[4], shape: signedScale(0) },
  Q4_1: { id: 3, elements: 32, bytes: 20, rootMeanSquare: CENTRED[4], shape: scaleAndOffset(0, 2, -7.5) },
  Q5_0: { id: 6, elements: 32, bytes: 22, rootMeanSquare: SIGNED[5], shape: signedScale(0) },
  Q5_1: { id: 7, elements: 32, bytes: 24, rootMeanSquare: CENTRED[5], shape: scaleAndOffset(0, 2, -15.5) },
  Q8_0: {
    id: 8,
    elements: 32,
    bytes: 34,
    rootMeanSquare: SIGNED[8],
    shape: (view, at, scale) => {
      view.setFloat16(at, scale, true)
      // Quantizers write -127 to 127: kernels may rely on it.
      for (let i = at + 2; i < at + 34; i++) if (view.getInt8(i) === -128) view.setInt8(i, 0)
    }
  },
  Q2_K: {
    id: 10,
    elements: 256,
    bytes: 84,
    rootMeanSquare: UNSIGNED[4] * CENTRED[2],
    shape: (view, at, scale) => {
      scaleAndOffset(80, 82, 1.5)(view, at, scale)
      for (let i = at; i < at + 16; i++) view.setUint8(i, (view.getUint8(i) & 15) * 0x11)
    }
  },
  Q3_K: { id: 11, elements: 256, bytes: 110, rootMeanSquare: SIGNED[6] * SIGNED[3], shape: signedScale(108) },
  Q4_K: { id: 12, elements: 256, bytes: 144, rootMeanSquare: UNSIGNED[6] * CENTRED[4], shape: scalesAndMinima(7.5) },
  Q5_K: { id: 13, elements: 256, bytes: 176, rootMeanSquare: UNSIGNED[6] * CENTRED[5], shape: scalesAndMinima(15.5) },
  Q6_K: { id: 14, elements: 256, bytes: 210, rootMeanSquare: SIGNED[8] * SIGNED[6], shape: signedScale(208) },
  IQ4_NL: { id: 20, elements: 32, bytes: 18, rootMeanSquare: NON_LINEAR, shape: signedScale(0) },
  IQ4_XS: { id: 23, elements: 256, bytes: 136, rootMeanSquare: SIGNED[6] * NON_LINEAR, shape: signedScale(0) }
}

const BITS = new DataView(new ArrayBuffer(4))

/** Sums of four random bytes: nearly normal. Their standard deviation is 147.8. */
function floats(id: number, bytes: number, write: (view: DataView, at: number, value: number) => void): BlockType {
  return {
    id,
    elements: FLOATS,
    bytes: FLOATS * bytes,
    rootMeanSquare: 147.8,
    shape: (view, at, scale) => {
      // The block's last four bytes are the seed of its numbers: they are overwritten last.
      let state = view.getUint32(at + FLOATS * bytes - 4, true) | 1
      for (let i = 0; i < FLOATS; i++) {
        state = Math.imul(state, 0x9e3779b1) ^ (state >>> 15)
        const sum = (state & 255) + ((state >>> 8) & 255) + ((state >>> 16) & 255) + (state >>> 24)
        write(view, at + i * bytes, scale * (sum - 510))
      }
    }
  }
}

/** A scale of either sign: the mean of signed codes, -1/2, cancels over many blocks. */
function signedScale(offset: number): BlockType['shape'] {
  return (view, at, scale) => view.setFloat16(at + offset, view.getUint8(at + offset) & 1 ? scale : -scale, true)
}

function scaleAndOffset(scaleAt: number, offsetAt: number, centre: number): BlockType['shape'] {
  return (view, at, scale) => {
    view.setFloat16(at + scaleAt, scale, true)
    view.setFloat16(at + offsetAt, scale * centre, true)
  }
}

/**
 * Q4_K and Q5_K have eight scales and eight minima of 6 bits, in 12 bytes. A minimum gets the scale's four upper bits,
 * and keeps its own two lower ones.
 */
function scalesAndMinima(centre: number): BlockType['shape'] {
  return (view, at, scale) => {
    scaleAndOffset(0, 2, centre)(view, at, scale)
    for (let i = at + 4; i < at + 8; i++) {
      view.setUint8(i + 4, (view.getUint8(i) & 0xfc) | (view.getUint8(i + 4) & 3))
      view.setUint8(i + 8, (view.getUint8(i + 8) & 0x3f) | ((view.getUint8(i + 8) & 12) << 4))
    }
  }
}
