import { buildLlama } from '../graph/llama.ts'
import type { LlamaConfig } from '../graph/llama-config.ts'
import { openGguf } from '../weights/gguf.ts'
import { ModelFileError } from '../weights/model-file-error.ts'
import { openSafetensors } from '../weights/safetensors.ts'
import type { TensorFile } from '../weights/tensor-file.ts'
import { checkLlamaConfig } from './check-llama-config.ts'
import { checkpointLlamaConfig } from './checkpoint-llama-config.ts'
import { ggufLlamaConfig } from './gguf-llama-config.ts'
import type { GraphBuild } from './graph-cache.ts'
import { CHECKPOINT_NAMES, GGUF_NAMES, type LlamaTensorNames } from './llama-tensor-names.ts'
import { llamaWeights } from './llama-weights.ts'
import type { ModelFiles } from './model-files.ts'
import type { PreparedModel } from './prepared-model.ts'

/** A build and the file that it reads: close it after the build. */
export interface PlannedBuild extends GraphBuild {
  readonly file: TensorFile
}

/**
 * Reads what a model is made of and decides its graph.
 *
 * @throws {ModelFileError} files that are broken, or of a kind that we do not serve
 */
export async function planModel(files: ModelFiles, quantization: PreparedModel['quantization']): Promise<PlannedBuild> {
  switch (files.kind) {
    case 'gguf': {
      const file = await openGguf(files.weights)
      return closedOnFailure(file, async () => {
        const architecture = file.metadata.get('general.architecture')
        if (architecture !== 'llama') {
          const found = typeof architecture === 'string' ? JSON.stringify(architecture.slice(0, 100)) : 'missing'
          throw new ModelFileError(`${file.path}: general.architecture is ${found}, only "llama" is supported`)
        }
        return planLlama(file, await ggufLlamaConfig(file), GGUF_NAMES, quantization)
      })
    }
    case 'checkpoint': {
      const file = await openSafetensors(files.weights)
      return closedOnFailure(file, async () => planLlama(file, await checkpointLlamaConfig(files.config), CHECKPOINT_NAMES, quantization))
    }
    default:
      return files satisfies never
  }
}

function planLlama(
  file: TensorFile,
  config: LlamaConfig,
  names: LlamaTensorNames,
  quantization: PreparedModel['quantization']
): PlannedBuild {
  const source = llamaWeights(file, checkLlamaConfig(file.path, config), names)
  return {
    file,
    source,
    plan: buildLlama(config, source, quantization === 'none' ? 'float32' : 'eightBit'),
    description: {
      architecture: 'llama',
      parameters: countParameters(file),
      vocabularySize: config.vocabulary,
      contextLength: config.context,
      layers: config.layers,
      kvHeads: config.kvHeads,
      headDim: config.headDim,
      quantization
    }
  }
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
