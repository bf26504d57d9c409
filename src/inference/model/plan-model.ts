import { buildGpt2 } from '../graph/gpt2.ts'
import { buildLlama } from '../graph/llama.ts'
import type { LlamaConfig } from '../graph/llama-config.ts'
import type { WeightForm } from '../graph/weight-nodes.ts'
import { openGguf } from '../weights/gguf.ts'
import { ModelFileError } from '../weights/model-file-error.ts'
import { openSafetensors } from '../weights/safetensors.ts'
import { openShardedSafetensors } from '../weights/sharded-safetensors.ts'
import type { TensorFile } from '../weights/tensor-file.ts'
import { checkGpt2Config } from './check-gpt2-config.ts'
import { checkLlamaConfig } from './check-llama-config.ts'
import { checkpointGpt2Config } from './checkpoint-gpt2-config.ts'
import { checkpointLlamaConfig } from './checkpoint-llama-config.ts'
import { ggufGpt2Config } from './gguf-gpt2-config.ts'
import { ggufLlamaConfig } from './gguf-llama-config.ts'
import { checkpointGpt2Names, GGUF_GPT2_NAMES, type Gpt2TensorNames } from './gpt2-tensor-names.ts'
import { type Gpt2Model, gpt2Weights } from './gpt2-weights.ts'
import type { GraphBuild } from './graph-cache.ts'
import { CHECKPOINT_NAMES, GGUF_NAMES, type LlamaTensorNames } from './llama-tensor-names.ts'
import { type LlamaModel, llamaWeights } from './llama-weights.ts'
import type { ModelFiles } from './model-files.ts'
import type { PreparedModel } from './prepared-model.ts'
import { readModelType } from './read-config.ts'

/** A build and the file that it reads: close it after the build. */
export interface PlannedBuild extends GraphBuild {
  readonly file: TensorFile
}

/**
 * Reads what a model is made of and decides its graph.
 *
 * @throws {ModelFileError} files that are broken, or of a kind that we do not serve
 */
export async function planModel(files: ModelFiles, quantization: Quantization): Promise<PlannedBuild> {
  switch (files.kind) {
    case 'gguf': {
      const file = await openGguf(files.weights)
      return closedOnFailure(file, async () => {
        const architecture = file.metadata.get('general.architecture')
        switch (architecture) {
          case 'llama':
            return planLlama(file, { config: await ggufLlamaConfig(file), head: 'own-or-embedding' }, GGUF_NAMES, quantization)
          case 'gpt2':
            return planGpt2(file, ggufGpt2Config(file), GGUF_GPT2_NAMES, quantization)
        }
        const found = typeof architecture === 'string' ? JSON.stringify(architecture.slice(0, 100)) : 'missing'
        throw new ModelFileError(`${file.path}: general.architecture is ${found}, only "llama" and "gpt2" are supported`)
      })
    }
    case 'checkpoint': {
      const type = await readModelType(files.config)
      const planFamily = CHECKPOINT_FAMILIES[type]
      if (planFamily === undefined) {
        const known = Object.keys(CHECKPOINT_FAMILIES).join(', ')
        throw new ModelFileError(`${files.config}: model_type is ${JSON.stringify(type)}, supported are ${known}`)
      }
      const file = await (files.isSharded ? openShardedSafetensors : openSafetensors)(files.weights)
      return closedOnFailure(file, () => planFamily(file, files.config, quantization))
    }
    default:
      return files satisfies never
  }
}

type Quantization = PreparedModel['quantization']

/** By `model_type`. */
const CHECKPOINT_FAMILIES: Readonly<
  Record<string, (file: TensorFile, config: string, quantization: Quantization) => Promise<PlannedBuild>>
> = {
  llama: async (file, config, quantization) => planLlama(file, await checkpointLlamaConfig(config), CHECKPOINT_NAMES, quantization),
  gpt2: async (file, config, quantization) => planGpt2(file, await checkpointGpt2Config(config), checkpointGpt2Names(file), quantization)
}

function planLlama(file: TensorFile, { config, head }: LlamaModel, names: LlamaTensorNames, quantization: Quantization): PlannedBuild {
  const source = llamaWeights(file, checkLlamaConfig(file.path, config), names, head)
  return {
    file,
    source,
    plan: buildLlama(config, source, weightForm(quantization)),
    description: describe('llama', file, config, quantization)
  }
}

function planGpt2(file: TensorFile, { config, head }: Gpt2Model, names: Gpt2TensorNames, quantization: Quantization): PlannedBuild {
  const source = gpt2Weights(file, checkGpt2Config(file.path, config), names, head)
  return {
    file,
    source,
    plan: buildGpt2(config, source, weightForm(quantization)),
    description: describe('gpt2', file, { ...config, kvHeads: config.heads }, quantization)
  }
}

/** What every family says of itself, in the words of the prepared model. */
function describe(
  architecture: string,
  file: TensorFile,
  { vocabulary, context, layers, kvHeads, headDim }: Pick<LlamaConfig, 'vocabulary' | 'context' | 'layers' | 'kvHeads' | 'headDim'>,
  quantization: Quantization
): GraphBuild['description'] {
  const parameters = countParameters(file)
  return { architecture, parameters, vocabularySize: vocabulary, contextLength: context, layers, kvHeads, headDim, quantization }
}

function weightForm(quantization: Quantization): WeightForm {
  return quantization === 'none' ? 'float32' : 'eightBit'
}

function countParameters(file: TensorFile): number {
  return file.tensors.values().reduce((sum, tensor) => sum + tensor.shape.reduce((product, size) => product * size, 1), 0)
}

async function closedOnFailure<T>(file: TensorFile, plan: () => Promise<T>): Promise<T> {
  try {
    return await plan()
  } catch (error) {
    await file[Symbol.asyncDispose]()
    throw error
  }
}
