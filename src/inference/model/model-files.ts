import { access, readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ModelFileError } from '../weights/model-file-error.ts'
import { shardPaths } from '../weights/sharded-safetensors.ts'

/** The files that a model's graph is made of. */
export type ModelFiles = {
  /** The file that names the model; of a checkpoint in several files it is their index. */
  readonly weights: string
  /** All files that decide what is computed, `weights` first. */
  readonly contents: readonly string[]
} & (
  | { readonly kind: 'gguf' }
  /** As transformers saves it. */
  | { readonly kind: 'checkpoint'; readonly config: string; readonly isSharded: boolean }
)

/** What transformers calls them. */
const WHOLE = 'model.safetensors'
const INDEX_ENDING = '.safetensors.index.json'
const INDEX = `model${INDEX_ENDING}`

/**
 * Finds a model: a `.gguf` or `.safetensors` file, an index of `.safetensors` files, or a folder with one of them.
 *
 * @throws {ModelFileError} nothing there that we read, or more than one to choose from
 */
export async function findModelFiles(path: string): Promise<ModelFiles> {
  const weights = await findWeights(path)
  const isSharded = weights.endsWith(INDEX_ENDING)
  if (!isSharded && !weights.endsWith('.safetensors')) return { kind: 'gguf', weights, contents: [weights] }
  const config = join(dirname(weights), 'config.json')
  await access(config).catch((cause: unknown) => {
    throw new ModelFileError(`${weights}: has no config.json beside it`, { cause })
  })
  const shards = isSharded ? await shardPaths(weights) : []
  return { kind: 'checkpoint', weights, config, isSharded, contents: [weights, ...shards, config] }
}

async function findWeights(path: string): Promise<string> {
  const stats = await stat(path).catch((cause: unknown) => {
    throw new ModelFileError(`${path}: no such file or folder`, { cause })
  })
  if (!stats.isDirectory()) return path
  const names = await readdir(path)
  const gguf = names.filter(name => name.endsWith('.gguf'))
  const found = gguf.length > 0 ? gguf : safetensorsOf(names)
  const [only] = found
  if (only === undefined) throw new ModelFileError(`${path}: holds no .gguf or .safetensors file`)
  if (found.length > 1)
    throw new ModelFileError(`${path}: holds ${found.length} files of weights (${found[0]}, ${found[1]} ...), one is expected`)
  return join(path, only)
}

/** As transformers chooses: the whole, its index, and only then a file of another name. */
function safetensorsOf(names: readonly string[]): readonly string[] {
  const known = [WHOLE, INDEX].find(name => names.includes(name))
  return known === undefined ? names.filter(name => name.endsWith('.safetensors')) : [known]
}
