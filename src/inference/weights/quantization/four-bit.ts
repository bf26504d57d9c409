import { ModelFileError } from '../model-file-error.ts'
import { integerLayout, unpackIntegerBlocks } from './integer-blocks.ts'

/** Elements per scale. */
const BLOCK = 32
const ZERO = 8

/** Weights in 4 bits: value = (code - 8) × scale + offset, with one scale and offset per block of 32. */
export interface FourBitBlocks {
  /** Two codes per byte, the first in the low bits. */
  readonly codes: Uint8Array
  readonly scales: Float32Array
  /** null for types without offsets. */
  readonly offsets: Float32Array | null
}

/** Whether 4 bits represent all values of a type, and whether they need offsets; null if they do not. */
export function fourBitLayout(typeName: string): { readonly hasOffsets: boolean } | null {
  const layout = integerLayout(typeName)
  return layout === null || layout.maxCode > 15 || layout.blockElements !== BLOCK ? null : { hasOffsets: layout.hasOffsets }
}

/**
 * Converts whole blocks of a type with a `fourBitLayout`. Codes and scales are the file's; an offset of the file is
 * rounded once, as a float32, when 8 × scale is added to it.
 *
 * @throws {ModelFileError} a type that needs more bits
 */
export function toFourBit(typeName: string, bytes: Uint8Array): FourBitBlocks {
  const blocks = fourBitLayout(typeName) === null ? null : unpackIntegerBlocks(typeName, bytes)
  if (blocks === null) throw new ModelFileError(`weights of type ${typeName} do not fit in 4 bits`)
  const { codes, scales, offsets } = blocks
  const shift = offsets === null ? ZERO : 0
  const packed = new Uint8Array(codes.length / 2)
  for (let i = 0; i < packed.length; i++) {
    packed[i] = (((codes[2 * i] ?? 0) + shift) & 15) | (((codes[2 * i + 1] ?? 0) + shift) << 4)
  }
  if (offsets !== null) for (let i = 0; i < offsets.length; i++) offsets[i] = (offsets[i] ?? 0) + ZERO * (scales[i] ?? 0)
  return { codes: packed, scales, offsets }
}
