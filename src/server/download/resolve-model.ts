import { stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { ExitError } from '../config/exit-error.ts'
import { nearest } from '../config/nearest.ts'
import type { ServeConfig } from '../config/serve-config.ts'
import { readCatalog } from './catalog.ts'
import { fetchModel } from './fetch-model.ts'
import type { Reporter } from './reporter.ts'

/** Where the weights are. */
export interface ModelLocation {
  /** What the model is called unless the operator says otherwise. */
  readonly name: string
  readonly kind: 'gguf' | 'folder'
  /** Absolute. */
  readonly path: string
}

/**
 * Finds what `--model` means: a name of the catalogue (fetched if need be), a `.gguf` file or a folder.
 *
 * @throws {ExitError} 2, there is no such model; 1, it could not be fetched
 */
export async function resolveModel(
  { model, modelsFolder, network }: Pick<ServeConfig, 'model' | 'modelsFolder' | 'network'>,
  reporter: Reporter,
  signal: AbortSignal = new AbortController().signal
): Promise<ModelLocation> {
  const models = await readCatalog()
  const listed = models.find(({ name }) => name === model)
  if (listed !== undefined)
    return { name: listed.name, kind: 'gguf', path: await fetchModel(listed, { modelsFolder, network, reporter, signal }) }

  const path = resolve(model)
  const found = await stat(path).catch(() => null)
  if (found?.isDirectory()) return { name: basename(path), kind: 'folder', path }
  if (found?.isFile() && path.endsWith('.gguf')) return { name: basename(path, '.gguf'), kind: 'gguf', path }
  if (found !== null) throw new ExitError(2, `--model ${model}: ${path} is neither a .gguf file nor a folder`)
  const names = models.map(({ name }) => name)
  const guess = nearest(model, names)
  throw new ExitError(
    2,
    `--model ${model}: no model of the catalogue has this name (there is ${names.join(', ')}), and ${path} does not exist` +
      (guess === null ? '' : `. Did you mean ${guess}?`)
  )
}
