import { ModelFileError } from '../model-file-error.ts'
import { fromBfloat16, fromFloat16 } from './half-floats.ts'
import { integerLayout, unpackIntegerBlocks } from './integer-blocks.ts'

/** Whether `dequantize` supports a tensor type. */
export function canDequantize(typeName: string): boolean {
  return typeName === 'F32' || typeName === 'F16' || typeName === 'BF16' || integerLayout(typeName) !== null
}

/**
 * Converts whole blocks of a tensor type to float32, bit-identical to ggml's dequantization.
 *
 * @throws {ModelFileError} an unsupported type
 */
export function dequantize(typeName: string, bytes: Uint8Array): Float32Array {
  switch (typeName) {
    case 'F32':
      return new Float32Array(bytes.slice().buffer)
    case 'F16':
      return fromFloat16(bytes)
    case 'BF16':
      return fromBfloat16(bytes)
  }
  const blocks = unpackIntegerBlocks(typeName, bytes)
  if (blocks === null) throw new ModelFileError(`weights of type ${typeName} are not supported`)

  const { codes, scales, offsets, blockElements } = blocks
  const values = new Float32Array(codes.length)
  for (let block = 0; block < scales.length; block++) {
    const scale = scales[block] ?? 0
    // Adding -0 leaves every float unchanged, -0 included.
    const offset = offsets?.[block] ?? -0
    const end = (block + 1) * blockElements
    for (let i = block * blockElements; i < end; i++) values[i] = Math.fround(scale * (codes[i] ?? 0)) + offset
  }
  return values
}
