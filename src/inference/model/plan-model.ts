import { z } from 'zod'
import { parseConfigJson, readConfigJson } from '../families/definition/config-json.ts'
import type { Family, ModelConfig } from '../families/definition/family.ts'
import { GgufFields } from '../families/definition/gguf-fields.ts'
import type { Format } from '../families/definition/tensor-table.ts'
import { FAMILIES } from '../families/registry.ts'
import type { GraphWeights } from '../graph/decoder-graph.ts'
import type { GraphPlan } from '../graph/graph-plan.ts'
import type { WeightForm } from '../graph/weight-nodes.ts'
import { openGguf } from '../weights/gguf.ts'
import { ModelFileError } from '../weights/model-file-error.ts'
import { openSafetensors } from '../weights/safetensors.ts'
import { openShardedSafetensors } from '../weights/sharded-safetensors.ts'
import type { TensorFile } from '../weights/tensor-file.ts'
import { familyMatrices } from './family-matrices.ts'
import type { ModelFiles } from './model-files.ts'
import type { ModelShape } from './prepared-model.ts'
import { type StoredMatrix, tensorWeights } from './tensor-weights.ts'

/** The graph of a model, and where its weights are. */
export interface PlannedModel {
  readonly plan: GraphPlan
  /** The model of the same plan with an int8 cache. */
  readonly int8CacheModel: Uint8Array
  readonly shape: ModelShape
  /** By their names in the graph. */
  readonly matrices: ReadonlyMap<string, StoredMatrix>
  /** The file of the matrices, which must be closed after the build. */
  readonly file: TensorFile
}

const ModelType = z.object({ model_type: z.string() })

/**
 * Reads a model's hyperparameters and plans its graph.
 *
 * @throws {ModelFileError} a file is broken or of an unsupported kind
 */
export async function planModel(
  files: ModelFiles,
  quantization: Quantization,
  activations?: GraphWeights['activations']
): Promise<PlannedModel> {
  switch (files.kind) {
    case 'gguf': {
      const file = await openGguf(files.weights)
      return closedOnFailure(file, async () => {
        const name = file.metadata.get('general.architecture')
        const family = FAMILIES.find(({ gguf }) => gguf !== null && gguf.architecture === name)
        if (typeof name !== 'string' || family?.gguf == null) {
          const known = FAMILIES.flatMap(({ gguf }) => gguf?.architecture ?? [])
          throw new ModelFileError(unsupported(files.weights, 'general.architecture', name, known))
        }
        return plan(family, name, await family.gguf.read(new GgufFields(file, name)), file, 'gguf', quantization, activations)
      })
    }
    case 'checkpoint': {
      const json = await readConfigJson(files.config)
      const { model_type: name } = parseConfigJson(files.config, json, ModelType)
      const family = FAMILIES.find(({ modelTypes }) => modelTypes.includes(name))
      if (family === undefined) {
        const known = FAMILIES.flatMap(({ modelTypes }) => modelTypes)
        throw new ModelFileError(unsupported(files.config, 'model_type', name, known))
      }
      const config = parseConfigJson(files.config, json, family.configJson)
      const file = await (files.isSharded ? openShardedSafetensors : openSafetensors)(files.weights)
      return closedOnFailure(file, async () => plan(family, name, config, file, 'hub', quantization, activations))
    }
    default:
      return files satisfies never
  }
}

type Quantization = ModelShape['quantization']

const FORMS: Readonly<Record<Quantization, WeightForm>> = { none: 'float32', int8: 'eightBit', native: 'native', w8a8: 'eightBit' }

function plan<Config extends ModelConfig>(
  family: Family<Config>,
  architecture: string,
  config: Config,
  file: TensorFile,
  format: Format,
  quantization: Quantization,
  activations: GraphWeights['activations']
): PlannedModel {
  const problem = family.problem(config)
  if (problem !== null) throw new ModelFileError(`${file.path}: ${problem}`)
  const matrices = familyMatrices(family, config, file, format)
  const { vocabulary, context, layers, kvHeads, headDim } = config
  const weights: GraphWeights = {
    source: tensorWeights(matrices),
    form: FORMS[quantization],
    ...(activations === undefined ? {} : { activations })
  }
  return {
    file,
    matrices,
    plan: family.forward(config, weights),
    int8CacheModel: family.forward(config, { ...weights, cache: 'int8' }).model,
    shape: {
      architecture,
      parameters: countParameters(file),
      vocabularySize: vocabulary,
      contextLength: context,
      layers,
      kvHeads,
      headDim,
      quantization
    }
  }
}

function unsupported(path: string, field: string, value: unknown, known: readonly string[]): string {
  const found = typeof value === 'string' ? `is ${JSON.stringify(value.slice(0, 100))}` : 'is missing'
  return `${path}: ${field} ${found}, supported are ${known.map(each => JSON.stringify(each)).join(', ')}`
}

function countParameters(file: TensorFile): number {
  return file.tensors.values().reduce((sum, tensor) => sum + tensor.shape.reduce((product, size) => product * size, 1), 0)
}

async function closedOnFailure<T>(file: TensorFile, make: () => Promise<T>): Promise<T> {
  try {
    return await make()
  } catch (error) {
    await file[Symbol.asyncDispose]()
    throw error
  }
}
