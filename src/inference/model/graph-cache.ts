import { randomUUID } from 'node:crypto'
import { access, mkdir, readdir, readFile, realpath, rename, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { DATA_FILE, type GraphPlan, INT8_CACHE_MODEL_FILE, MODEL_FILE } from '../graph/graph-plan.ts'
import { type WriteData, writeGraph } from '../graph/write-graph.ts'
import { ModelFileError } from '../weights/model-file-error.ts'
import { isMapped } from './build/process-maps.ts'
import { readAhead } from './build/read-ahead.ts'
import { ModelShape } from './prepared-model.ts'

const MANIFEST_FILE = 'manifest.json'

/** Ends the name of a graph whose `w8a8` weights are unsigned: see `multipliesSigned`. */
export const UNSIGNED = '-u8'

/** Describes the model and the files of a finished graph folder; the manifest is written last. */
const Manifest = z.strictObject({
  ...ModelShape.shape,
  modelBytes: z.int().positive(),
  int8CacheModelBytes: z.int().positive(),
  dataBytes: z.int().positive(),
  /** CRC-32 of the files. */
  modelChecksum: z.int().nonnegative(),
  int8CacheModelChecksum: z.int().nonnegative(),
  dataChecksum: z.int().nonnegative()
})
export type Manifest = Readonly<z.infer<typeof Manifest>>

/** Content of the manifest's file: the manifest and its checksum. */
const ManifestFile = z.strictObject({ manifest: Manifest, checksum: z.int() })

/** Distinguishes this process from an earlier one with the same id: a restarted container reuses its process ids. */
const STARTED_MS = Math.round(performance.timeOrigin)

/** Disk space that must remain free after a build. */
const SPARE_BYTES = 16 * 2 ** 20

export interface GraphBuild {
  readonly plan: GraphPlan
  /** The model of the same plan with an int8 cache. */
  readonly int8CacheModel: Uint8Array
  readonly writeData: WriteData
  readonly shape: ModelShape
}

export type CachedGraph =
  | { readonly state: 'whole'; readonly manifest: Manifest }
  | { readonly state: 'missing' }
  /** `fault` names the file that was changed after it was written. */
  | { readonly state: 'damaged'; readonly fault: string }

/** Reads a finished graph completely and compares it with its checksums. */
export async function cachedGraph(folder: string): Promise<CachedGraph> {
  if (!(await exists(folder))) return { state: 'missing' }
  const manifest = await readManifest(join(folder, MANIFEST_FILE))
  if (manifest === null) return { state: 'damaged', fault: `${MANIFEST_FILE} is missing, cut off or changed` }
  const files = [
    { name: MODEL_FILE, bytes: manifest.modelBytes, checksum: manifest.modelChecksum },
    { name: INT8_CACHE_MODEL_FILE, bytes: manifest.int8CacheModelBytes, checksum: manifest.int8CacheModelChecksum },
    { name: DATA_FILE, bytes: manifest.dataBytes, checksum: manifest.dataChecksum }
  ]
  for (const { name, bytes, checksum } of files) {
    const path = join(folder, name)
    try {
      if ((await stat(path)).size !== bytes) return { state: 'damaged', fault: `${name} has another size` }
      if ((await fileChecksum(path)) !== checksum) return { state: 'damaged', fault: `${name} has another checksum` }
    } catch (error) {
      return { state: 'damaged', fault: `${name} cannot be read: ${error instanceof Error ? error.message : error}` }
    }
  }
  return { state: 'whole', manifest }
}

/**
 * Writes a graph under a temporary name and renames it once it is on disk: `folder` is complete or does not exist.
 * If two processes build the same graph, the second uses the result of the first.
 *
 * @throws {ModelFileError} the disk is full, or the folder cannot be written
 */
export async function storeGraph(folder: string, build: GraphBuild): Promise<Manifest> {
  const temporary = temporaryName(folder)
  const { plan, int8CacheModel } = build
  const sizes = { modelBytes: plan.model.length, int8CacheModelBytes: int8CacheModel.length, dataBytes: plan.dataBytes }
  const bytes = sizes.modelBytes + sizes.int8CacheModelBytes + sizes.dataBytes
  try {
    await mkdir(temporary, { recursive: true })
    await checkRoom(temporary, bytes)
    const checksums = { ...(await writeGraph(temporary, plan, build.writeData)), int8CacheModelChecksum: crc32(int8CacheModel) }
    await writeFile(join(temporary, INT8_CACHE_MODEL_FILE), int8CacheModel, { flush: true })
    // Parsed, so that the fields have the order in which they are read later: the checksum depends on it.
    const manifest = Manifest.parse({ ...build.shape, ...sizes, ...checksums })
    const file = { manifest, checksum: crc32(JSON.stringify(manifest)) } satisfies z.infer<typeof ManifestFile>
    await writeFile(join(temporary, MANIFEST_FILE), JSON.stringify(file), { flush: true })
    return await publish(temporary, folder, manifest)
  } catch (error) {
    throw toModelFileError(error, folder, bytes)
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

/** Removes temporary folders of builds on this host that were killed. */
export async function removeDeadBuilds(parent: string): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    const [, owner, startedMs] = name.split(`.${hostname()}.`)[1]?.match(/^(\d+)-(\d+)-[^.]*\.tmp$/) ?? []
    if (owner === undefined || isRunning(Number(owner), Number(startedMs))) continue
    // They remain in a read-only folder.
    await rm(join(parent, name), { recursive: true, force: true }).catch(() => {})
  }
}

/** Removes graphs that no later start uses, except those that a running process has mapped. */
export async function removeSuperseded(folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    if (!(await exists(folder)) || (await isMapped(await realpath(folder))) !== false) continue
    // Renamed first, so that no process finds a part of it. It remains in a read-only folder.
    const temporary = temporaryName(folder)
    await rename(folder, temporary).catch(() => {})
    await rm(temporary, { recursive: true, force: true }).catch(() => {})
  }
}

/** Names of the finished graphs in a cache folder. */
export async function graphNames(parent: string): Promise<readonly string[]> {
  return (await readdir(parent).catch(() => [])).filter(name => /^[0-9a-f]{64}(-u8)?$/.test(name)).toSorted()
}

/** null where the manifest is missing or was changed after it was written. */
async function readManifest(path: string): Promise<Manifest | null> {
  try {
    const { manifest, checksum } = ManifestFile.parse(JSON.parse(await readFile(path, 'utf8')))
    return crc32(JSON.stringify(manifest)) === checksum ? manifest : null
  } catch {
    return null
  }
}

/** A name that no other build uses, on this host or another. */
export function temporaryName(folder: string): string {
  return `${folder}.${hostname()}.${process.pid}-${STARTED_MS}-${randomUUID().slice(0, 8)}.tmp`
}

/**
 * Moves a complete graph to its place. A damaged graph there is replaced file by file: the files of equal builds are
 * equal, so that other processes, which may do the same at this moment, find a mixture that is as good.
 */
async function publish(temporary: string, folder: string, manifest: Manifest): Promise<Manifest> {
  try {
    await rename(temporary, folder)
    return manifest
  } catch (error) {
    if (!(await exists(folder))) throw error
  }
  const existing = await cachedGraph(folder)
  if (existing.state === 'whole') return existing.manifest
  for (const name of [DATA_FILE, MODEL_FILE, INT8_CACHE_MODEL_FILE, MANIFEST_FILE]) {
    await rename(join(temporary, name), join(folder, name))
  }
  return manifest
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false
  )
}

/** CRC-32 of a file: about 5 GB/s from the page cache. */
async function fileChecksum(path: string): Promise<number> {
  let checksum = 0
  for await (const chunk of readAhead(path)) checksum = crc32(chunk, checksum)
  return checksum
}

async function checkRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize < bytes + SPARE_BYTES) {
    throw new ModelFileError(`${folder}: preparing the model needs ${bytes} bytes, but the disk has ${bavail * bsize} free`)
  }
}

function toModelFileError(error: unknown, folder: string, bytes: number): unknown {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return error
  if (['EACCES', 'EPERM', 'EROFS'].includes(error.code)) {
    const fault = `${dirname(folder)} cannot be written to (${error.code}), and prepared models are kept there`
    return new ModelFileError(`${fault}: let this user write to it, or choose another models folder`, { cause: error })
  }
  const reason = error.code === 'ENOSPC' || error.code === 'EDQUOT' ? 'the disk is full' : error.message
  return new ModelFileError(`${folder}: the prepared model (${bytes} bytes) cannot be written: ${reason}`, { cause: error })
}

function isRunning(pid: number, startedMs: number): boolean {
  if (pid === process.pid) return startedMs === STARTED_MS
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
