import { u64 } from './write-gguf.ts'

export interface FloatTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly values: Float32Array
}

/** A safetensors file of float32 tensors, written from the specification. */
export function safetensorsBytes(tensors: readonly FloatTensor[]): Buffer {
  let offset = 0
  const header: Record<string, object> = { __metadata__: { format: 'pt' } }
  for (const { name, shape, values } of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + values.byteLength] }
    offset += values.byteLength
  }
  return Buffer.concat([withHeader(header), ...tensors.map(({ values }) => new Uint8Array(values.buffer))])
}

export function withHeader(header: unknown): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  return Buffer.concat([u64(json.length), json])
}
