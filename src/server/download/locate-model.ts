import { stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { ExitError } from '../config/exit-error.ts'
import { nearest } from '../config/nearest.ts'
import { type CatalogModel, modelPath, readCatalog } from './catalog.ts'

/** The location of the weights. */
export interface ModelLocation {
  /** The default name of the model in the API. */
  readonly name: string
  readonly kind: 'gguf' | 'folder'
  /** Absolute. A model of the catalogue may not have been downloaded yet. */
  readonly path: string
  /** null: not in the catalogue. */
  readonly listed: CatalogModel | null
}

/**
 * Resolves `--model`, a name of the catalogue, a `.gguf` file or a folder, without downloading anything.
 *
 * @param source  the origin of the name, for error messages
 * @throws {ExitError} 2, unknown model
 */
export async function locateModel(model: string, modelsFolder: string, source: string): Promise<ModelLocation> {
  const models = await readCatalog()
  const listed = models.find(({ name }) => name === model)
  if (listed !== undefined) return { name: listed.name, kind: 'gguf', path: modelPath(modelsFolder, listed), listed }

  const path = resolve(model)
  const found = await stat(path).catch(() => null)
  if (found?.isDirectory()) return { name: basename(path), kind: 'folder', path, listed: null }
  if (found?.isFile() && path.endsWith('.gguf')) return { name: basename(path, '.gguf'), kind: 'gguf', path, listed: null }
  if (found !== null) throw new ExitError(2, `${source}: ${path} is neither a .gguf file nor a folder`)
  const names = models.map(({ name }) => name)
  const guess = nearest(model, names)
  throw new ExitError(
    2,
    `${source}: not a name in the catalogue (${names.join(', ')}), and ${path} does not exist` +
      (guess === null ? '' : `. Did you mean ${guess}?`)
  )
}
