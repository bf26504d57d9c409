import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { CacheType } from '../../src/inference/contract/cache-type.ts'
import { DATA_FILE } from '../../src/inference/graph/graph-plan.ts'
import { prepareModel } from '../../src/inference/model/prepare-model.ts'
import type { PreparedModel, QuantizationChoice } from '../../src/inference/model/prepared-model.ts'
import { graphsFolder } from '../../src/server/config/load-config.ts'
import { readServeConfig } from '../../src/server/config/serve-config.ts'
import { resolveModel } from '../../src/server/download/fetch-model.ts'
import { type RandomModel, randomModel } from '../random-models/random-model.ts'
import type { FileSizes } from './memory-plan.ts'

/** A GGUF file to be measured, and the graph built from it. */
export interface BenchFile {
  readonly name: string
  readonly path: string
  readonly bytes: number
  readonly prepared: PreparedModel
  /** Folder of the graph. */
  readonly graphFolder: string
}

const SILENT = { line: () => {}, problem: console.error, progress: () => ({ update: () => {}, end: () => {} }) }

/**
 * Finds, downloads or writes the file, and builds its graph.
 *
 * @param model  name of the catalogue, path of a .gguf file, or a model to be written
 * @param form   as the server's options
 */
export async function prepareFile(
  model: string | RandomModel,
  { quantization, cacheType }: { readonly quantization: string; readonly cacheType: string }
): Promise<BenchFile> {
  const given = typeof model === 'string' ? model : await randomModel(model, randomModelsFolder())
  const config = readServeConfig(['--model', given, '--quantization', quantization, '--cache-type', cacheType], {})
  const { name, kind, path } = await resolveModel(config, SILENT)
  if (kind !== 'gguf') throw new RangeError(`${path} is a folder; --model must be a .gguf file`)
  return await build(name, path, config)
}

/** The same file with float32 weights and a float32 cache. */
export async function inFloat32({ name, path }: BenchFile): Promise<BenchFile> {
  return await build(name, path, { quantization: 'none', cacheType: 'f32' })
}

/** Where the benchmark keeps the models that it writes. */
export function randomModelsFolder(): string {
  return join(readServeConfig([], {}).modelsFolder, '.bench')
}

export async function sizesOf({ bytes, prepared, graphFolder }: BenchFile): Promise<FileSizes> {
  return {
    ourWeights: (await stat(join(graphFolder, DATA_FILE))).size,
    // Mapped, and for some types repacked in memory.
    peerWeights: bytes,
    ourCachePerToken: prepared.cacheBytesPerToken,
    // Keys and values in float16.
    peerCachePerToken: 4 * prepared.layers * prepared.kvHeads * prepared.headDim
  }
}

async function build(
  name: string,
  path: string,
  { quantization, cacheType }: { readonly quantization: QuantizationChoice; readonly cacheType: CacheType }
): Promise<BenchFile> {
  process.stderr.write(`preparing ${name} (${quantization}, cache ${cacheType})\n`)
  const prepared = await prepareModel({ path, quantization, cacheType, cacheFolder: graphsFolder(readServeConfig([], {}).modelsFolder) })
  return { name, path, bytes: (await stat(path)).size, prepared, graphFolder: dirname(prepared.graphPath) }
}
