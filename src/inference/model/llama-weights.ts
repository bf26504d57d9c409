import type { LlamaConfig } from '../graph/llama-config.ts'
import type { EightBitRows, MatrixInfo, WeightSource } from '../graph/weight-source.ts'
import { canDequantize, dequantize } from '../weights/dequantize.ts'
import { eightBitLayout, toEightBit } from '../weights/eight-bit.ts'
import { ModelFileError } from '../weights/model-file-error.ts'
import type { TensorFile, TensorInfo } from '../weights/tensor-file.ts'
import { LLAMA_PARTS, type LlamaPart, type LlamaTensorNames } from './llama-tensor-names.ts'

/** Tensors that say what the hyperparameters say already. */
const REDUNDANT = /^rope_freqs\.weight$|\.attn_rot_embd\.weight$|\.rotary_emb\.inv_freq$/

/** One of the model's matrices: where it is, and where its rows come from. */
interface Matrix {
  readonly tensor: TensorInfo
  readonly info: MatrixInfo
  /** Its rows are stored in the other rotary order. */
  readonly rotated: boolean
}

/**
 * A Llama's weights out of a file of tensors.
 * Rows of queries and keys are handed out in the order of halves, whatever the file's: attention then rotates whole vectors.
 *
 * @throws {ModelFileError} a tensor is missing, has another shape than the hyperparameters say, or is none that we would use
 */
export function llamaWeights(file: TensorFile, config: LlamaConfig, names: LlamaTensorNames): WeightSource {
  const matrices = findMatrices(file, config, names)

  async function rows<T>(name: string, first: number, count: number, convert: (typeName: string, bytes: Uint8Array) => T): Promise<T> {
    const matrix = matrices.get(name)
    if (matrix === undefined) throw new ModelFileError(`${file.path}: the model has no ${name}`)
    const { tensor, info, rotated } = matrix
    const rowBytes = (info.columns / tensor.type.blockElements) * tensor.type.blockBytes
    if (!rotated) return convert(tensor.type.name, await file.read(tensor, first * rowBytes, count * rowBytes))

    const heads = [Math.floor(first / config.headDim), Math.ceil((first + count) / config.headDim)] as const
    const start = heads[0] * config.headDim
    const stored = await file.read(tensor, start * rowBytes, (heads[1] * config.headDim - start) * rowBytes)
    const ordered = new Uint8Array(count * rowBytes)
    for (let i = 0; i < count; i++) {
      const from = storedRow(first + i, config) - start
      ordered.set(stored.subarray(from * rowBytes, (from + 1) * rowBytes), i * rowBytes)
    }
    return convert(tensor.type.name, ordered)
  }

  return {
    info: name => matrices.get(name)?.info ?? null,
    float32: (name, first, count) => rows(name, first, count, dequantize),
    eightBit: (name, first, count, blockElements): Promise<EightBitRows> =>
      rows(name, first, count, (typeName, bytes) => toEightBit(typeName, bytes, blockElements))
  }
}

/** Where the file keeps a row of queries or keys, given its place in the order of halves. */
function storedRow(row: number, { headDim, rotary }: LlamaConfig): number {
  const inHead = row % headDim
  if (inHead >= rotary.dims) return row
  const half = rotary.dims / 2
  return row - inHead + 2 * (inHead % half) + Math.floor(inHead / half)
}

function findMatrices(file: TensorFile, config: LlamaConfig, names: LlamaTensorNames): Map<string, Matrix> {
  const { hidden, vocabulary, feedForward } = config
  const [queries, keys] = [config.heads * config.headDim, config.kvHeads * config.headDim]
  const matrices = new Map<string, Matrix>()

  function add(name: string, tensorName: string, rows: number, columns: number, presence: 'required' | 'optional' = 'required'): void {
    const tensor = file.tensors.get(tensorName)
    if (tensor === undefined) {
      if (presence === 'optional') return
      throw new ModelFileError(`${file.path}: tensor ${JSON.stringify(tensorName)} is missing`)
    }
    const shape = [rows, columns].filter(size => size !== 1)
    if (tensor.shape.join() !== shape.join()) {
      throw new ModelFileError(`${file.path}: tensor ${JSON.stringify(tensorName)} is [${tensor.shape}], must be [${shape}]`)
    }
    if (!canDequantize(tensor.type.name) || columns % tensor.type.blockElements !== 0) {
      throw new ModelFileError(`${file.path}: tensor ${JSON.stringify(tensorName)} has type ${tensor.type.name}, which is not supported`)
    }
    const rotated = names.rotaryOrder === 'pairs' && /\.(query|key)(\.bias)?$/.test(name)
    matrices.set(name, { tensor, info: { rows, columns, ...eightBitLayout(tensor.type.name) }, rotated })
  }

  add('embedding', names.embedding, vocabulary, hidden)
  add('output_norm', names.outputNorm, 1, hidden)
  add('head', names.head, vocabulary, hidden, 'optional')
  const sizes: Readonly<Record<LlamaPart, readonly [rows: number, columns: number]>> = {
    attention_norm: [1, hidden],
    query: [queries, hidden],
    key: [keys, hidden],
    value: [keys, hidden],
    'query.bias': [queries, 1],
    'key.bias': [keys, 1],
    'value.bias': [keys, 1],
    attention_output: [hidden, queries],
    feed_forward_norm: [1, hidden],
    gate: [feedForward, hidden],
    up: [feedForward, hidden],
    down: [hidden, feedForward]
  }
  for (let l = 0; l < config.layers; l++) {
    for (const part of LLAMA_PARTS) {
      const presence = part.endsWith('.bias') ? 'optional' : 'required'
      add(`layers.${l}.${part}`, names.layer(l) + names.parts[part], ...sizes[part], presence)
    }
  }
  refuseUnused(file, matrices)
  return matrices
}

/** A weight left out in silence would be a wrong answer. */
function refuseUnused(file: TensorFile, matrices: ReadonlyMap<string, Matrix>): void {
  const used = new Set(matrices.values().map(({ tensor }) => tensor.name))
  for (const name of file.tensors.keys()) {
    if (used.has(name) || REDUNDANT.test(name)) continue
    throw new ModelFileError(`${file.path}: tensor ${JSON.stringify(name)} belongs to a kind of Llama that is not supported`)
  }
}
