/** A metadata value by its GGUF type. */
export type MetadataValue =
  | { readonly u32: number }
  | { readonly f32: number }
  | { readonly bool: boolean }
  | { readonly string: string }
  | { readonly strings: readonly string[] }
  | { readonly i32s: readonly number[] }

export interface HeaderTensor {
  readonly name: string
  /** Outermost first. */
  readonly shape: readonly number[]
  readonly typeId: number
  readonly bytes: number
}

const ALIGNMENT = 32

/**
 * Everything of a GGUF file of version 3 before the data of its tensors, which follow in order, each padded to a
 * multiple of 32 bytes (`paddedBytes`).
 * Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
export function ggufHeader(metadata: Readonly<Record<string, MetadataValue>>, tensors: readonly HeaderTensor[]): Buffer {
  const entries = Object.entries(metadata)
  const parts = [Buffer.from('GGUF'), u32(3), u64(tensors.length), u64(entries.length)]
  for (const [key, value] of entries) parts.push(string(key), encoded(value))
  let offset = 0
  for (const { name, shape, typeId, bytes } of tensors) {
    parts.push(string(name), u32(shape.length), ...shape.toReversed().map(u64), u32(typeId), u64(offset))
    offset += paddedBytes(bytes)
  }
  const header = Buffer.concat(parts)
  return Buffer.concat([header], paddedBytes(header.length))
}

export function paddedBytes(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT
}

/** The number of the value's type, and the value. */
function encoded(value: MetadataValue): Buffer {
  if ('u32' in value) return Buffer.concat([u32(4), u32(value.u32)])
  if ('f32' in value) return Buffer.concat([u32(6), Buffer.from(Float32Array.of(value.f32).buffer)])
  if ('bool' in value) return Buffer.concat([u32(7), Buffer.from([value.bool ? 1 : 0])])
  if ('string' in value) return Buffer.concat([u32(8), string(value.string)])
  if ('strings' in value) return Buffer.concat([u32(9), u32(8), u64(value.strings.length), ...value.strings.map(string)])
  return Buffer.concat([u32(9), u32(5), u64(value.i32s.length), Buffer.from(Int32Array.from(value.i32s).buffer)])
}

function u32(value: number): Buffer {
  return Buffer.from(Uint32Array.of(value).buffer)
}

function u64(value: number): Buffer {
  return Buffer.from(BigUint64Array.of(BigInt(value)).buffer)
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([u64(bytes.length), bytes])
}
