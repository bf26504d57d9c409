import { writeFile } from 'node:fs/promises'

/** A metadata entry, by its GGUF type. */
export type MetadataEntry =
  | { readonly key: string; readonly u32: number }
  | { readonly key: string; readonly f32: number }
  | { readonly key: string; readonly string: string }
  | { readonly key: string; readonly strings: readonly string[] }

export interface TensorEntry {
  readonly name: string
  /** Outermost first. */
  readonly shape: readonly number[]
  readonly typeId: number
  readonly bytes: Uint8Array
}

const ALIGNMENT = 32

/** A GGUF file of version 3, written from the specification. */
export function ggufBytes(metadata: readonly MetadataEntry[], tensors: readonly TensorEntry[]): Buffer {
  const parts = [Buffer.from('GGUF'), u32(3), u64(tensors.length), u64(metadata.length), ...metadata.flatMap(entry)]
  let offset = 0
  for (const { name, shape, typeId, bytes } of tensors) {
    parts.push(string(name), u32(shape.length), ...shape.toReversed().map(u64), u32(typeId), u64(offset))
    offset += padded(bytes.length)
  }
  const header = Buffer.concat(parts)
  const data = tensors.map(({ bytes }) => Buffer.concat([bytes, Buffer.alloc(padded(bytes.length) - bytes.length)]))
  return Buffer.concat([header, Buffer.alloc(padded(header.length) - header.length), ...data])
}

export async function writeGguf(path: string, metadata: readonly MetadataEntry[], tensors: readonly TensorEntry[]): Promise<void> {
  await writeFile(path, ggufBytes(metadata, tensors))
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

export function u64(value: number | bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

export function string(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([u64(bytes.length), bytes])
}

function entry(item: MetadataEntry): Buffer[] {
  const key = string(item.key)
  if ('u32' in item) return [key, u32(4), u32(item.u32)]
  if ('string' in item) return [key, u32(8), string(item.string)]
  if ('strings' in item) return [key, u32(9), u32(8), u64(item.strings.length), ...item.strings.map(string)]
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(item.f32)
  return [key, u32(6), bytes]
}

function padded(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT
}
