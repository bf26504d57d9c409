import type { Gpt2Config } from '../graph/gpt2-config.ts'
import type { WeightSource } from '../graph/weight-source.ts'
import type { TensorFile } from '../weights/tensor-file.ts'
import { GPT2_PARTS, type Gpt2Part, type Gpt2TensorNames } from './gpt2-tensor-names.ts'
import { addHead, type HeadSource } from './head-source.ts'
import { MatrixFinder } from './matrix-finder.ts'
import { tensorWeights } from './tensor-weights.ts'

/** Causal masks, which old checkpoints keep beside the weights. */
const MASKS = /\.attn\.(masked_)?bias$/

/** A GPT-2 as its hyperparameters describe it. */
export interface Gpt2Model {
  readonly config: Gpt2Config
  readonly head: HeadSource
}

/**
 * A GPT-2's weights out of a file of tensors.
 *
 * @throws {ModelFileError} a tensor is missing, has another shape than the hyperparameters say, or is none that we would use
 */
export function gpt2Weights(file: TensorFile, config: Gpt2Config, names: Gpt2TensorNames, head: HeadSource): WeightSource {
  const { hidden, vocabulary, context, feedForward } = config
  const finder = new MatrixFinder(file)

  function addWithBias(name: string, tensorName: string, rows: number, columns: number): void {
    const isMap = rows > 1
    finder.add(name, {
      tensorName: `${tensorName}.weight`,
      rows,
      columns,
      order: { kind: isMap && names.transposed ? 'transposed' : 'rows' }
    })
    finder.add(`${name}.bias`, { tensorName: `${tensorName}.bias`, rows: isMap ? rows : columns, columns: 1 })
  }

  finder.add('embedding', { tensorName: names.embedding, rows: vocabulary, columns: hidden })
  finder.add('positions', { tensorName: names.positions, rows: context, columns: hidden })
  addHead(finder, head, names.head, vocabulary, hidden)
  addWithBias('output_norm', names.outputNorm, 1, hidden)

  const sizes: Readonly<Record<Gpt2Part, readonly [rows: number, columns: number]>> = {
    attention_norm: [1, hidden],
    qkv: [3 * hidden, hidden],
    attention_output: [hidden, hidden],
    feed_forward_norm: [1, hidden],
    up: [feedForward, hidden],
    down: [hidden, feedForward]
  }
  for (let l = 0; l < config.layers; l++) {
    for (const part of GPT2_PARTS) addWithBias(`layers.${l}.${part}`, names.layer(l) + names.parts[part], ...sizes[part])
  }
  finder.refuseUnused('GPT-2', MASKS)
  return tensorWeights(file, finder.matrices)
}
