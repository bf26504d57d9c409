import { join } from 'node:path'
import { MODEL_FILE } from '../graph/graph-plan.ts'
import { type CachedGraph, cachedGraph, graphNames, type Manifest, removeDeadBuilds, storeGraph } from './graph-cache.ts'
import { findModelFiles, type ModelFiles } from './model-files.ts'
import { planModel } from './plan-model.ts'
import type { PreparedModel, QuantizationChoice } from './prepared-model.ts'
import { sha256, sourceHash } from './source-hash.ts'

/** Part of every model hash: raise it whenever the same file would give another graph or other weights. */
const BUILDER_VERSION = 3

/** Share of hashing in the progress that we report; the rest is writing. */
const HASH_SHARE = 0.2

export interface PrepareOptions {
  /**
   * A `.gguf` file, a `.safetensors` file or the index of several with its config.json, or a folder that holds one of
   * them.
   */
  readonly path: string
  readonly quantization: QuantizationChoice
  /** Where prepared graphs are kept, one folder each; made if need be. */
  readonly cacheFolder: string
  /** Called with the fraction done, 0 to 1, never backwards. */
  readonly onProgress?: (fraction: number) => void
  /** Called when the graph made before is damaged, before it is built again, with a sentence for the operator. */
  readonly onDamage?: (message: string) => void
}

/**
 * Makes an ONNX graph of a published model, or finds the one made before.
 * Safe to be killed at any time and to run in several processes at once.
 *
 * @throws {ModelFileError} a file that is missing, broken or of a kind that we do not serve; no room for the graph
 */
export async function prepareModel({
  path,
  quantization,
  cacheFolder,
  onProgress = () => {},
  onDamage = () => {}
}: PrepareOptions): Promise<PreparedModel> {
  const files = await findModelFiles(path)
  // Quantized GGUF weights keep what they say in 8 bits; floats are rounded.
  const form = quantization === 'none' ? 'none' : 'int8'
  const weightsHash = await filesHash(files, cacheFolder, fraction => onProgress(fraction * HASH_SHARE))
  const modelHash = sha256(`${weightsHash} ${form} ${BUILDER_VERSION}`)
  const folder = join(cacheFolder, modelHash)

  await removeDeadBuilds(cacheFolder)
  const cached = await cachedGraph(folder)
  if (cached.state === 'damaged') onDamage(`the prepared model in ${folder} is damaged and is built again: ${cached.fault}`)
  const manifest =
    cached.state === 'whole'
      ? cached.manifest
      : await build(files, form, folder, share => onProgress(HASH_SHARE + share * (1 - HASH_SHARE)))
  onProgress(1)
  const { modelBytes: _, dataBytes: __, modelChecksum: ___, dataChecksum: ____, ...description } = manifest
  return {
    ...description,
    graphPath: join(folder, MODEL_FILE),
    sourcePath: files.weights,
    modelHash,
    cacheBytesPerToken: 2 * Float32Array.BYTES_PER_ELEMENT * manifest.layers * manifest.kvHeads * manifest.headDim
  }
}

/** All graphs that were prepared in a cache folder, each read as a whole and compared with its checksums. */
export async function checkPrepared(cacheFolder: string): Promise<readonly { readonly folder: string; readonly graph: CachedGraph }[]> {
  const checks: { folder: string; graph: CachedGraph }[] = []
  for (const name of await graphNames(cacheFolder)) {
    const folder = join(cacheFolder, name)
    checks.push({ folder, graph: await cachedGraph(folder) })
  }
  return checks
}

async function build(
  files: ModelFiles,
  quantization: PreparedModel['quantization'],
  folder: string,
  onProgress: (fraction: number) => void
): Promise<Manifest> {
  const planned = await planModel(files, quantization)
  await using _ = planned.file
  return await storeGraph(folder, planned, onProgress)
}

/** A checkpoint's numbers mean nothing without its configuration: all files count. */
async function filesHash({ contents }: ModelFiles, cacheFolder: string, onProgress: (fraction: number) => void): Promise<string> {
  const hashes: string[] = []
  for (const [done, file] of contents.entries()) {
    hashes.push(await sourceHash(file, cacheFolder, fraction => onProgress((done + fraction) / contents.length)))
  }
  return hashes.join(' ')
}
