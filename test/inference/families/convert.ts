import { join } from 'node:path'
import { openSafetensors } from '../../../src/inference/weights/safetensors.ts'
import { type MetadataEntry, type TensorEntry, writeGguf } from '../weights/write-gguf.ts'

/** What llama.cpp's converter does with a family, written down apart from the tables that are tested. */
export interface Conversion {
  /** What stands before the names of a layer's number in a checkpoint. */
  readonly layer: string
  /** Names of a checkpoint without `.weight` and `.bias`, of a layer without its number, and those in GGUF. */
  readonly names: Readonly<Record<string, string>>
  /** Matrices that GGUF has the other way round. */
  readonly transposed?: RegExp
  readonly metadata: readonly MetadataEntry[]
}

const F32 = 0

/** Writes a checkpoint of float32 weights as a GGUF file. */
export async function convert(folder: string, path: string, { layer, names, transposed, metadata }: Conversion): Promise<void> {
  await using file = await openSafetensors(join(folder, 'model.safetensors'))
  const tensors: TensorEntry[] = []
  for (const tensor of file.tensors.values()) {
    const ending = /\.(weight|bias)$/.exec(tensor.name)?.[0] ?? ''
    const stem = tensor.name.slice(0, tensor.name.length - ending.length)
    const [, number, part] = stem.startsWith(layer) ? (/^(\d+)\.(.*)$/.exec(stem.slice(layer.length)) ?? []) : []
    const theirs = names[part ?? stem]
    if (theirs === undefined) throw new Error(`${tensor.name} has no name in GGUF`)
    const bytes = await file.read(tensor, 0, tensor.bytes)
    const isTransposed = tensor.shape.length === 2 && transposed?.test(tensor.name)
    tensors.push({
      name: `${number === undefined ? '' : `blk.${number}.`}${theirs}${ending}`,
      shape: isTransposed ? tensor.shape.toReversed() : tensor.shape,
      typeId: F32,
      bytes: isTransposed ? transpose(bytes, tensor.shape) : bytes
    })
  }
  await writeGguf(path, metadata, tensors)
}

function transpose(bytes: Uint8Array, [rows = 0, columns = 0]: readonly number[]): Uint8Array {
  const values = new Float32Array(bytes.slice().buffer)
  const turned = Float32Array.from({ length: rows * columns }, (_, i) => values[(i % rows) * columns + Math.floor(i / rows)] ?? 0)
  return new Uint8Array(turned.buffer)
}
