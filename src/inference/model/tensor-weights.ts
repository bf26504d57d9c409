import type { StoredOrder } from '../families/definition/tensor-table.ts'
import type { MatrixInfo, WeightSource } from '../graph/weight-source.ts'
import { ModelFileError } from '../weights/model-file-error.ts'
import { dequantize } from '../weights/quantization/dequantize.ts'
import { toEightBit } from '../weights/quantization/eight-bit.ts'
import { toPerChannel } from '../weights/quantization/per-channel.ts'
import type { TensorFile, TensorInfo } from '../weights/tensor-file.ts'

/** A matrix of a model: its tensor, its shape, and its order in the file. */
export interface StoredMatrix {
  readonly tensor: TensorInfo
  readonly info: MatrixInfo
  readonly order: StoredOrder
}

/** Bytes of a transposed matrix that are read at once. */
const SLAB_BYTES = 4 * 2 ** 20

/** Reads a model's weights from a file of tensors. */
export function tensorWeights(file: TensorFile, matrices: ReadonlyMap<string, StoredMatrix>): WeightSource {
  async function rows<T>(name: string, first: number, count: number, convert: (typeName: string, bytes: Uint8Array) => T): Promise<T> {
    const matrix = matrices.get(name)
    if (matrix === undefined) throw new ModelFileError(`${file.path}: the model has no ${name}`)
    const { tensor, order } = matrix
    switch (order.kind) {
      case 'rows':
        return convert(tensor.type.name, await readRows(file, matrix, first, count))
      case 'rotary-pairs':
        return convert(tensor.type.name, await readRotated(file, matrix, order, first, count))
      case 'transposed': {
        const values = await readTransposed(file, matrix, first, count)
        return convert('F32', new Uint8Array(values.buffer))
      }
      default:
        return order satisfies never
    }
  }

  return {
    info: name => matrices.get(name)?.info ?? null,
    float32: (name, first, count) => rows(name, first, count, dequantize),
    eightBit: (name, first, count, blockElements) =>
      rows(name, first, count, (typeName, bytes) => toEightBit(typeName, bytes, blockElements)),
    perChannel: (name, first, count, exact) =>
      rows(name, first, count, (typeName, bytes) => toPerChannel(dequantize(typeName, bytes), matrices.get(name)?.info.columns ?? 0, exact))
  }
}

function rowBytes({ tensor, info }: StoredMatrix): number {
  return (info.columns / tensor.type.blockElements) * tensor.type.blockBytes
}

function readRows(file: TensorFile, matrix: StoredMatrix, first: number, count: number): Promise<Uint8Array> {
  return file.read(matrix.tensor, first * rowBytes(matrix), count * rowBytes(matrix))
}

/** Reads complete heads and reorders their rows from pairs to halves. */
async function readRotated(
  file: TensorFile,
  matrix: StoredMatrix,
  { headDim, dims }: { readonly headDim: number; readonly dims: number },
  first: number,
  count: number
): Promise<Uint8Array> {
  const start = Math.floor(first / headDim) * headDim
  const end = Math.ceil((first + count) / headDim) * headDim
  const stored = await readRows(file, matrix, start, end - start)
  const bytes = rowBytes(matrix)
  const ordered = new Uint8Array(count * bytes)
  for (let i = 0; i < count; i++) {
    const from = pairedRow(first + i, headDim, dims) - start
    ordered.set(stored.subarray(from * bytes, (from + 1) * bytes), i * bytes)
  }
  return ordered
}

/** Index of a row in a file in the order of pairs, given its index in the order of halves. */
function pairedRow(row: number, headDim: number, dims: number): number {
  const inHead = row % headDim
  if (inHead >= dims) return row
  const half = dims / 2
  return row - inHead + 2 * (inHead % half) + Math.floor(inHead / half)
}

/** Reads outputs `first` to `first + count` of a matrix stored as [inputs, outputs]: float32 [count, inputs]. */
async function readTransposed(file: TensorFile, { tensor, info }: StoredMatrix, first: number, count: number): Promise<Float32Array> {
  const { rows: outputs, columns: inputs } = info
  const bytesPerInput = outputs * tensor.type.blockBytes
  const step = Math.max(1, Math.floor(SLAB_BYTES / bytesPerInput))
  const values = new Float32Array(count * inputs)
  for (let input = 0; input < inputs; input += step) {
    const slabInputs = Math.min(step, inputs - input)
    const slab = dequantize(tensor.type.name, await file.read(tensor, input * bytesPerInput, slabInputs * bytesPerInput))
    for (let i = 0; i < slabInputs; i++) {
      for (let o = 0; o < count; o++) values[o * inputs + input + i] = slab[i * outputs + first + o] ?? 0
    }
  }
  return values
}
