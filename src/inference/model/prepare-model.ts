import { join } from 'node:path'
import { MODEL_FILE } from '../graph/graph-plan.ts'
import { type CachedGraph, cachedGraph, graphNames, type Manifest, removeDeadBuilds, storeGraph } from './graph-cache.ts'
import { findModelFiles, type ModelFiles } from './model-files.ts'
import { planModel } from './plan-model.ts'
import type { ModelShape, PreparedModel, QuantizationChoice } from './prepared-model.ts'
import { sha256, sourceHash } from './source-hash.ts'

/** Part of every model hash: must be raised whenever the same file would give another graph or other weights. */
const BUILDER_VERSION = 3

/** Share of hashing in the reported progress; the rest is writing. */
const HASH_SHARE = 0.2

export interface PrepareOptions {
  /**
   * A `.gguf` file; a `.safetensors` file, or the index of several, with its config.json; or a folder that contains one
   * of them.
   */
  readonly path: string
  readonly quantization: QuantizationChoice
  /** Parent of the folders of prepared graphs; created if it does not exist. */
  readonly cacheFolder: string
  /** Called with the fraction done, 0 to 1, monotonic. */
  readonly onProgress?: (fraction: number) => void
  /** Called with a message for the operator when an existing graph is damaged and before it is rebuilt. */
  readonly onDamage?: (message: string) => void
}

/**
 * Builds the ONNX graph of a published model, or finds an existing one.
 * The process may be killed at any time, and several processes may build at once.
 *
 * @throws {ModelFileError} a file is missing, broken or of an unsupported kind, or the disk is full
 */
export async function prepareModel({
  path,
  quantization,
  cacheFolder,
  onProgress = () => {},
  onDamage = () => {}
}: PrepareOptions): Promise<PreparedModel> {
  const files = await findModelFiles(path)
  // Quantized GGUF weights keep their exact values in 8 bits; floats are rounded.
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
  const { modelBytes: _, dataBytes: __, modelChecksum: ___, dataChecksum: ____, ...shape } = manifest
  return {
    ...shape,
    graphPath: join(folder, MODEL_FILE),
    sourcePath: files.weights,
    modelHash,
    cacheBytesPerToken: 2 * Float32Array.BYTES_PER_ELEMENT * manifest.layers * manifest.kvHeads * manifest.headDim
  }
}

/** Reads each graph in a cache folder completely and compares it with its checksums. */
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
  quantization: ModelShape['quantization'],
  folder: string,
  onProgress: (fraction: number) => void
): Promise<Manifest> {
  const planned = await planModel(files, quantization)
  await using _ = planned.file
  return await storeGraph(folder, planned, onProgress)
}

/** The hash covers all files: a checkpoint's weights have no meaning without its configuration. */
async function filesHash({ contents }: ModelFiles, cacheFolder: string, onProgress: (fraction: number) => void): Promise<string> {
  const hashes: string[] = []
  for (const [done, file] of contents.entries()) {
    hashes.push(await sourceHash(file, cacheFolder, fraction => onProgress((done + fraction) / contents.length)))
  }
  return hashes.join(' ')
}
