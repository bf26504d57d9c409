import { invariant } from '../contract/invariant.ts'
import type { StoredOrder } from '../families/definition/tensor-table.ts'
import type { MatrixInfo, WeightSource } from '../graph/weight-source.ts'
import { readTensor } from '../weights/open-tensor-file.ts'
import { dequantize } from '../weights/quantization/dequantize.ts'
import { toEightBit } from '../weights/quantization/eight-bit.ts'
import { toFourBit } from '../weights/quantization/four-bit.ts'
import { toPerChannel } from '../weights/quantization/per-channel.ts'
import type { OpenFile, TensorInfo } from '../weights/tensor-file.ts'

/** A matrix of a model: its tensor, its shape, and its order in the file. Plain data: threads are given it. */
export interface StoredMatrix {
  readonly file: OpenFile
  readonly tensor: TensorInfo
  readonly info: MatrixInfo
  readonly order: StoredOrder
}

/** Reads a model's weights from its files, which must be open. Reading blocks the thread. */
export function tensorWeights(matrices: ReadonlyMap<string, StoredMatrix>): WeightSource {
  async function rows<T>(name: string, first: number, count: number, convert: (typeName: string, bytes: Uint8Array) => T): Promise<T> {
    const matrix = matrices.get(name)
    invariant(matrix !== undefined, `the model has no weight ${name}`)
    const { tensor, order } = matrix
    switch (order.kind) {
      case 'rows':
        return convert(tensor.type.name, readRows(matrix, first, count))
      case 'rotary-pairs':
        return convert(tensor.type.name, readRotated(matrix, order, first, count))
      case 'transposed': {
        const values = readTransposed(matrix, first, count)
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
    fourBit: (name, first, count) => rows(name, first, count, toFourBit),
    perChannel: (name, first, count, exact) =>
      rows(name, first, count, (typeName, bytes) => toPerChannel(dequantize(typeName, bytes), matrices.get(name)?.info.columns ?? 0, exact))
  }
}

function rowBytes({ tensor, info }: StoredMatrix): number {
  return (info.columns / tensor.type.blockElements) * tensor.type.blockBytes
}

function readRows(matrix: StoredMatrix, first: number, count: number): Uint8Array {
  return readTensor(matrix.file, matrix.tensor, first * rowBytes(matrix), count * rowBytes(matrix))
}

/** Reads complete heads and reorders their rows from pairs to halves. */
function readRotated(
  matrix: StoredMatrix,
  { headDim, dims }: { readonly headDim: number; readonly dims: number },
  first: number,
  count: number
): Uint8Array {
  const start = Math.floor(first / headDim) * headDim
  const end = Math.ceil((first + count) / headDim) * headDim
  const stored = readRows(matrix, start, end - start)
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
function readTransposed({ file, tensor, info }: StoredMatrix, first: number, count: number): Float32Array {
  const { rows: outputs, columns: inputs } = info
  const { blockBytes } = tensor.type
  const bytes = count * blockBytes
  const stored = new Uint8Array(inputs * bytes)
  for (let input = 0; input < inputs; input++) {
    stored.set(readTensor(file, tensor, (input * outputs + first) * blockBytes, bytes), input * bytes)
  }
  const ordered = dequantize(tensor.type.name, stored)
  const values = new Float32Array(count * inputs)
  for (let input = 0; input < inputs; input++) {
    for (let o = 0; o < count; o++) values[o * inputs + input] = ordered[input * count + o] ?? 0
  }
  return values
}
