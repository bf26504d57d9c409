import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { MODEL_FILE } from '../graph/graph-plan.ts'
import { buildLlama } from '../graph/llama.ts'
import { type GgufFile, openGguf } from '../weights/gguf.ts'
import { ModelFileError } from '../weights/model-file-error.ts'
import { ggufLlamaConfig } from './gguf-llama-config.ts'
import { ggufLlamaWeights } from './gguf-llama-weights.ts'
import { cachedGraph, type GraphBuild, type Manifest, removeDeadBuilds, storeGraph } from './graph-cache.ts'
import type { PreparedModel, QuantizationChoice } from './prepared-model.ts'
import { sha256, sourceHash } from './source-hash.ts'

/** Part of every model hash: raise it whenever the same file would give another graph or other weights. */
const BUILDER_VERSION = 1

/** Share of hashing in the progress that we report; the rest is writing. */
const HASH_SHARE = 0.2

export interface PrepareOptions {
  /** A `.gguf` file, or a folder that holds one. */
  readonly path: string
  readonly quantization: QuantizationChoice
  /** Where prepared graphs are kept, one folder each; made if need be. */
  readonly cacheFolder: string
  /** Called with the fraction done, 0 to 1, never backwards. */
  readonly onProgress?: (fraction: number) => void
}

/**
 * Makes an ONNX graph of a published model, or finds the one made before.
 * Safe to be killed at any time and to run in several processes at once.
 *
 * @throws {ModelFileError} a file that is missing, broken or of a kind that we do not serve; no room for the graph
 */
export async function prepareModel({ path, quantization, cacheFolder, onProgress = () => {} }: PrepareOptions): Promise<PreparedModel> {
  const sourcePath = await findWeights(path)
  // GGUF weights are quantized already; their 8-bit form keeps what they say.
  const form = quantization === 'none' ? 'none' : 'int8'
  const weightsHash = await sourceHash(sourcePath, cacheFolder, fraction => onProgress(fraction * HASH_SHARE))
  const modelHash = sha256(`${weightsHash} ${form} ${BUILDER_VERSION}`)
  const folder = join(cacheFolder, modelHash)

  await removeDeadBuilds(cacheFolder)
  const manifest =
    (await cachedGraph(folder)) ?? (await build(sourcePath, form, folder, share => onProgress(HASH_SHARE + share * (1 - HASH_SHARE))))
  onProgress(1)
  const { modelBytes: _, dataBytes: __, ...description } = manifest
  return {
    ...description,
    graphPath: join(folder, MODEL_FILE),
    sourcePath,
    modelHash,
    cacheBytesPerToken: 2 * Float32Array.BYTES_PER_ELEMENT * manifest.layers * manifest.kvHeads * manifest.headDim
  }
}

async function build(path: string, form: 'none' | 'int8', folder: string, onProgress: (fraction: number) => void): Promise<Manifest> {
  await using file = await openGguf(path)
  const architecture = file.metadata.get('general.architecture')
  switch (architecture) {
    case 'llama':
      return await storeGraph(folder, await planLlama(file, form), onProgress)
    default:
      throw new ModelFileError(`${path}: general.architecture is ${JSON.stringify(architecture) ?? 'missing'}, only "llama" is supported`)
  }
}

async function planLlama(file: GgufFile, quantization: 'none' | 'int8'): Promise<GraphBuild> {
  const config = await ggufLlamaConfig(file)
  const source = ggufLlamaWeights(file, config)
  return {
    plan: buildLlama(config, source, quantization === 'none' ? 'float32' : 'eightBit'),
    source,
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

function countParameters(file: GgufFile): number {
  return file.tensors.values().reduce((sum, tensor) => sum + tensor.shape.reduce((product, size) => product * size, 1), 0)
}

async function findWeights(path: string): Promise<string> {
  const stats = await stat(path).catch((cause: unknown) => {
    throw new ModelFileError(`${path}: no such file or folder`, { cause })
  })
  if (!stats.isDirectory()) return path
  const found = (await readdir(path)).filter(name => name.endsWith('.gguf'))
  const [only] = found
  if (only === undefined || found.length > 1) {
    throw new ModelFileError(`${path}: holds ${found.length} .gguf files, exactly one is expected; name the file itself`)
  }
  return join(path, only)
}
