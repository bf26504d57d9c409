import type { LlamaConfig } from '../graph/llama-config.ts'
import type { WeightSource } from '../graph/weight-source.ts'
import type { TensorFile } from '../weights/tensor-file.ts'
import { addHead, type HeadSource } from './head-source.ts'
import { LLAMA_PARTS, type LlamaPart, type LlamaTensorNames } from './llama-tensor-names.ts'
import { MatrixFinder } from './matrix-finder.ts'
import { type StoredOrder, tensorWeights } from './tensor-weights.ts'

/** Tensors that say what the hyperparameters say already. */
const REDUNDANT = /^rope_freqs\.weight$|\.attn_rot_embd\.weight$|\.rotary_emb\.inv_freq$/

/** A Llama as its hyperparameters describe it. */
export interface LlamaModel {
  readonly config: LlamaConfig
  readonly head: HeadSource
}

/**
 * A Llama's weights out of a file of tensors.
 * Rows of queries and keys are handed out in the order of halves, whatever the file's: attention then rotates whole vectors.
 *
 * @throws {ModelFileError} a tensor is missing, has another shape than the hyperparameters say, or is none that we would use
 */
export function llamaWeights(file: TensorFile, config: LlamaConfig, names: LlamaTensorNames, head: HeadSource): WeightSource {
  const { hidden, vocabulary, feedForward, headDim, rotary } = config
  const [queries, keys] = [config.heads * headDim, config.kvHeads * headDim]
  const finder = new MatrixFinder(file)
  finder.add('embedding', { tensorName: names.embedding, rows: vocabulary, columns: hidden })
  finder.add('output_norm', { tensorName: names.outputNorm, rows: 1, columns: hidden })
  addHead(finder, head, names.head, vocabulary, hidden)

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
  const rotated: StoredOrder = names.rotaryOrder === 'pairs' ? { kind: 'rotary-pairs', headDim, dims: rotary.dims } : { kind: 'rows' }
  for (let l = 0; l < config.layers; l++) {
    for (const part of LLAMA_PARTS) {
      const [rows, columns] = sizes[part]
      finder.add(`layers.${l}.${part}`, {
        tensorName: names.layer(l) + names.parts[part],
        rows,
        columns,
        presence: part.endsWith('.bias') ? 'optional' : 'required',
        order: /^(query|key)(\.bias)?$/.test(part) ? rotated : { kind: 'rows' }
      })
    }
  }
  finder.refuseUnused('Llama', REDUNDANT)
  return tensorWeights(file, finder.matrices)
}
