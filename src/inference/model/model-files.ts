import { access, readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ModelFileError } from '../weights/model-file-error.ts'

/** The files that a model's graph is made of. */
export type ModelFiles =
  | { readonly kind: 'gguf'; readonly weights: string }
  /** As transformers saves it. */
  | { readonly kind: 'checkpoint'; readonly weights: string; readonly config: string }

/**
 * Finds a model: a `.gguf` or `.safetensors` file, or a folder with one of them.
 *
 * @throws {ModelFileError} nothing there that we read, or more than one to choose from
 */
export async function findModelFiles(path: string): Promise<ModelFiles> {
  const weights = await findWeights(path)
  if (!weights.endsWith('.safetensors')) return { kind: 'gguf', weights }
  const config = join(dirname(weights), 'config.json')
  await access(config).catch((cause: unknown) => {
    throw new ModelFileError(`${weights}: has no config.json beside it`, { cause })
  })
  return { kind: 'checkpoint', weights, config }
}

async function findWeights(path: string): Promise<string> {
  const stats = await stat(path).catch((cause: unknown) => {
    throw new ModelFileError(`${path}: no such file or folder`, { cause })
  })
  if (!stats.isDirectory()) return path
  const names = await readdir(path)
  const gguf = names.filter(name => name.endsWith('.gguf'))
  const safetensors = names.filter(name => name.endsWith('.safetensors'))
  const found = gguf.length > 0 ? gguf : safetensors
  const [only] = found
  if (only === undefined) throw new ModelFileError(`${path}: holds no .gguf or .safetensors file`)
  if (found.length > 1)
    throw new ModelFileError(`${path}: holds ${found.length} files of weights (${found[0]}, ${found[1]} ...), one is expected`)
  return join(path, only)
}
