import { access, readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ModelFileError } from '../weights/model-file-error.ts'
import { shardPaths } from '../weights/sharded-safetensors.ts'

/** The files from which a model's graph is built. */
export type ModelFiles = {
  /** The file of weights, or the index of a checkpoint in several files. */
  readonly weights: string
  /** All files that affect the computation, `weights` first. */
  readonly contents: readonly string[]
} & (
  | { readonly kind: 'gguf' }
  /** A folder as transformers saves it. */
  | { readonly kind: 'checkpoint'; readonly config: string; readonly isSharded: boolean }
)

/** File names of transformers. */
const WHOLE = 'model.safetensors'
const INDEX_ENDING = '.safetensors.index.json'
const INDEX = `model${INDEX_ENDING}`

/**
 * Finds a model: a `.gguf` or `.safetensors` file, an index of `.safetensors` files, or a folder with one of them.
 *
 * @throws {ModelFileError} there is no such file, or the choice is ambiguous
 */
export async function findModelFiles(path: string): Promise<ModelFiles> {
  const weights = await findWeights(path)
  const isSharded = weights.endsWith(INDEX_ENDING)
  if (!isSharded && !weights.endsWith('.safetensors')) return { kind: 'gguf', weights, contents: [weights] }
  const config = join(dirname(weights), 'config.json')
  await access(config).catch((cause: unknown) => {
    throw new ModelFileError(`${weights}: there is no config.json in the same folder`, { cause })
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

/** In the order of transformers: the single file, the index, and only then files of other names. */
function safetensorsOf(names: readonly string[]): readonly string[] {
  const known = [WHOLE, INDEX].find(name => names.includes(name))
  return known === undefined ? names.filter(name => name.endsWith('.safetensors')) : [known]
}
