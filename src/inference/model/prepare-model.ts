import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type CacheType, cacheBytesPerToken } from '../contract/cache-type.ts'
import { MODEL_FILE } from '../graph/graph-plan.ts'
import type { RowQuantization } from '../graph/row-quantized.ts'
import { writeDataInThreads } from './build/write-data.ts'
import { calibrate } from './calibration/calibrate.ts'
import { withInt8Cache } from './calibration/int8-cache.ts'
import { multipliesSigned, processorFlags } from './calibration/processor.ts'
import { type MeasuredRecipe, type Recipe, recipeHash, savedRecipe, saveRecipe } from './calibration/recipe.ts'
import {
  type CachedGraph,
  cachedGraph,
  graphNames,
  type Manifest,
  removeDeadBuilds,
  removeSuperseded,
  storeGraph,
  UNSIGNED
} from './graph-cache.ts'
import { findModelFiles, type ModelFiles } from './model-files.ts'
import { planModel } from './plan-model.ts'
import { ModelShape, type PreparedModel, type QuantizationChoice } from './prepared-model.ts'
import { sourceHash } from './source-hash.ts'

/** Part of every model hash: must be raised whenever the same file would give another graph or other weights. */
const BUILDER_VERSION = 4

/** Values of `ModelShape.quantization` in earlier versions of the builder. */
const EARLIER_FORMS = ['none', 'int8', 'native'] as const

/**
 * `hash`: the files are read for their hash, which identifies the model. `calibrate`: their weights are converted for a
 * run that shows their activations. `build`: their weights are converted. `cache`: the scales of an int8 cache are
 * measured.
 */
export interface PrepareProgress {
  readonly step: 'hash' | 'calibrate' | 'build' | 'cache'
  /** Of the model's files. */
  readonly doneBytes: number
  readonly totalBytes: number
}

export interface PrepareOptions {
  /**
   * A `.gguf` file; a `.safetensors` file, or the index of several, with its config.json; or a folder that contains one
   * of them.
   */
  readonly path: string
  readonly quantization: QuantizationChoice
  /** Without it `f32`. */
  readonly cacheType?: CacheType
  /** Parent of the folders of prepared graphs; created if it does not exist. */
  readonly cacheFolder: string
  /** Called often, with growing `doneBytes` in each step; not called for a step that is not needed. */
  readonly onProgress?: (progress: PrepareProgress) => void
  /** Called with a message for the operator when an existing graph is damaged and before it is rebuilt. */
  readonly onDamage?: (message: string) => void
}

/**
 * Builds the ONNX graph of a published model, or finds an existing one.
 * The process may be killed at any time, and several processes may build at once.
 *
 * @throws {ModelFileError} a file is missing, broken or of an unsupported kind, or the disk is full
 */
export async function prepareModel({ cacheType = 'f32', ...options }: PrepareOptions): Promise<PreparedModel> {
  const model = await prepareWeights(options)
  if (cacheType === 'f32') return model
  const totalBytes = await sizeOf(await findModelFiles(options.path))
  return await withInt8Cache(model, options.cacheFolder, fraction =>
    options.onProgress?.({ step: 'cache', doneBytes: fraction * totalBytes, totalBytes })
  )
}

/** The model with a float32 cache. */
async function prepareWeights({
  path,
  quantization,
  cacheFolder,
  onProgress = () => {},
  onDamage = () => {}
}: Omit<PrepareOptions, 'cacheType'>): Promise<PreparedModel> {
  const files = await findModelFiles(path)
  const totalBytes = await sizeOf(files)
  const weightsHash = await filesHash(files, cacheFolder, doneBytes => onProgress({ step: 'hash', doneBytes, totalBytes }))
  await removeDeadBuilds(cacheFolder)
  const codes = quantization === 'w8a8' && !multipliesSigned(await processorFlags()) ? 'uint8' : 'int8'

  const use = async (recipe: Recipe): Promise<Omit<PreparedModel, 'distance'>> => {
    const modelHash = recipeHash(weightsHash, recipe, BUILDER_VERSION)
    // Both give the same tokens, on processors that can use both.
    const folder = join(cacheFolder, codes === 'uint8' ? `${modelHash}${UNSIGNED}` : modelHash)
    const cached = await cachedGraph(folder)
    if (cached.state === 'damaged') onDamage(`the prepared model in ${folder} is damaged and is built again: ${cached.fault}`)
    const manifest =
      cached.state === 'whole'
        ? cached.manifest
        : await build(files, recipe, codes, folder, share => onProgress({ step: 'build', doneBytes: share * totalBytes, totalBytes }))
    if (cached.state !== 'whole') await removeSuperseded(earlierHashes(weightsHash).map(hash => join(cacheFolder, hash)))
    return preparedModel(folder, files, modelHash, manifest)
  }

  // Quantized GGUF weights keep their exact values in 8 bits; floats are rounded.
  if (quantization !== 'w8a8') {
    return { ...(await use({ quantization: quantization === 'auto' ? 'int8' : quantization, exactChannels: null })), distance: null }
  }
  const saved = await savedRecipe(cacheFolder, weightsHash, quantization)
  if (saved !== null) return { ...(await use(saved.recipe)), distance: saved.distance }
  const onShare = (share: number): void => onProgress({ step: 'calibrate', doneBytes: share * totalBytes, totalBytes })
  await using calibration = await calibrate(files, join(cacheFolder, weightsHash), onShare)
  const recipe: Recipe = { quantization, exactChannels: calibration.exactChannels }
  const model = await use(recipe)
  const measured: MeasuredRecipe = { recipe, distance: await calibration.distanceOf(model.graphPath) }
  await saveRecipe(cacheFolder, weightsHash, quantization, measured)
  return { ...model, distance: measured.distance }
}

function preparedModel(folder: string, files: ModelFiles, modelHash: string, manifest: Manifest): Omit<PreparedModel, 'distance'> {
  const shape = ModelShape.strip().parse(manifest)
  return {
    ...shape,
    graphPath: join(folder, MODEL_FILE),
    sourcePath: files.weights,
    modelHash,
    cacheScales: null,
    cacheDistance: null,
    cacheBytesPerToken: cacheBytesPerToken(manifest, 'f32')
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
  { quantization, exactChannels }: Recipe,
  codes: RowQuantization['codes'],
  folder: string,
  onProgress: (fraction: number) => void
): Promise<Manifest> {
  const rowQuantization = exactChannels === null ? undefined : { exactChannels: new Map(Object.entries(exactChannels)), codes }
  const planned = await planModel(files, quantization, rowQuantization)
  await using _ = planned.file
  const { plan, int8CacheModel, shape, matrices } = planned
  return await storeGraph(folder, { plan, int8CacheModel, shape, writeData: writeDataInThreads(plan, matrices, { onProgress }) })
}

/** Model hashes of the same files in earlier versions of the builder. */
function earlierHashes(weightsHash: string): string[] {
  const versions = Array.from({ length: BUILDER_VERSION - 1 }, (_, index) => index + 1)
  return versions.flatMap(version =>
    EARLIER_FORMS.map(quantization => recipeHash(weightsHash, { quantization, exactChannels: null }, version))
  )
}

async function sizeOf({ contents }: ModelFiles): Promise<number> {
  const sizes = await Promise.all(contents.map(async path => (await stat(path)).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

/** The hash covers all files: a checkpoint's weights have no meaning without its configuration. */
async function filesHash({ contents }: ModelFiles, cacheFolder: string, onProgress: (doneBytes: number) => void): Promise<string> {
  const hashes: string[] = []
  let doneBytes = 0
  for (const file of contents) {
    const onRead = (bytes: number): void => {
      doneBytes += bytes
      onProgress(doneBytes)
    }
    hashes.push(await sourceHash(file, cacheFolder, onRead))
  }
  return hashes.join(' ')
}
