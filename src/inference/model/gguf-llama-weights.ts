import type { LlamaConfig } from '../graph/llama-config.ts'
import type { EightBitRows, MatrixInfo, WeightSource } from '../graph/weight-source.ts'
import { canDequantize, dequantize } from '../weights/dequantize.ts'
import { eightBitLayout, toEightBit } from '../weights/eight-bit.ts'
import { ModelFileError } from '../weights/model-file-error.ts'
import type { TensorFile, TensorInfo } from '../weights/tensor-file.ts'

/** Our name of a part of a layer, and the file's. */
const LAYER_PARTS: Readonly<Record<string, string>> = {
  attention_norm: 'attn_norm.weight',
  query: 'attn_q.weight',
  'query.bias': 'attn_q.bias',
  key: 'attn_k.weight',
  'key.bias': 'attn_k.bias',
  value: 'attn_v.weight',
  'value.bias': 'attn_v.bias',
  attention_output: 'attn_output.weight',
  feed_forward_norm: 'ffn_norm.weight',
  gate: 'ffn_gate.weight',
  up: 'ffn_up.weight',
  down: 'ffn_down.weight'
}

/** One of the model's matrices: where it is, and where its rows come from. */
interface Matrix {
  readonly tensor: TensorInfo
  readonly info: MatrixInfo
  /** Its rows are stored in the other rotary order. */
  readonly rotated: boolean
}

/**
 * A Llama's weights out of a GGUF file.
 *
 * GGUF keeps the rows of queries and keys so that rotated pairs are neighbours (2i, 2i + 1); we put them back into halves (i, i + dims / 2),
 * the order of the published checkpoints: attention then rotates whole vectors.
 *
 * @throws {ModelFileError} a matrix is missing or has another shape than the hyperparameters say
 */
export function ggufLlamaWeights(file: TensorFile, config: LlamaConfig): WeightSource {
  const matrices = findMatrices(file, config)

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

function findMatrices(file: TensorFile, config: LlamaConfig): Map<string, Matrix> {
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
    const rotated = /\.(query|key)(\.bias)?$/.test(name)
    matrices.set(name, { tensor, info: { rows, columns, ...eightBitLayout(tensor.type.name) }, rotated })
  }

  add('embedding', 'token_embd.weight', vocabulary, hidden)
  add('output_norm', 'output_norm.weight', 1, hidden)
  add('head', 'output.weight', vocabulary, hidden, 'optional')
  const sizes: Readonly<Record<string, readonly [rows: number, columns: number]>> = {
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
    for (const [part, tensorName] of Object.entries(LAYER_PARTS)) {
      const [rows, columns] = sizes[part] ?? [0, 0]
      add(`layers.${l}.${part}`, `blk.${l}.${tensorName}`, rows, columns, part.endsWith('.bias') ? 'optional' : 'required')
    }
  }
  return matrices
}
