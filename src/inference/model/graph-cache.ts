import { randomUUID } from 'node:crypto'
import { access, mkdir, readdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { DATA_FILE, type GraphPlan, MODEL_FILE } from '../graph/graph-plan.ts'
import type { WeightSource } from '../graph/weight-source.ts'
import { writeGraph } from '../graph/write-graph.ts'
import { ModelFileError } from '../weights/model-file-error.ts'
import { fileChecksum, textChecksum } from './file-checksum.ts'

const MANIFEST_FILE = 'manifest.json'

/** Written last: what a finished graph folder says of its model. */
const Manifest = z.strictObject({
  architecture: z.string(),
  parameters: z.int().positive(),
  vocabularySize: z.int().positive(),
  contextLength: z.int().positive(),
  layers: z.int().positive(),
  kvHeads: z.int().positive(),
  headDim: z.int().positive(),
  quantization: z.enum(['none', 'int8']),
  modelBytes: z.int().positive(),
  dataBytes: z.int().positive(),
  /** CRC-32 of the files. */
  modelChecksum: z.int().nonnegative(),
  dataChecksum: z.int().nonnegative()
})
export type Manifest = Readonly<z.infer<typeof Manifest>>

/** The manifest's file: it has a checksum of its own. */
const ManifestFile = z.strictObject({ manifest: Manifest, checksum: z.int() })

/** Tells us from an earlier process of the same id: in a container that is restarted the id is always the same. */
const STARTED_MS = Math.round(performance.timeOrigin)

/** Space that must be left for others. */
const SPARE_BYTES = 16 * 2 ** 20

/** Processes that replace the same damaged graph at once get in each other's way no more often than this. */
const PUBLISH_ATTEMPTS = 5

export interface GraphBuild {
  readonly plan: GraphPlan
  readonly source: WeightSource
  readonly description: Omit<Manifest, 'modelBytes' | 'dataBytes' | 'modelChecksum' | 'dataChecksum'>
}

export type CachedGraph =
  | { readonly state: 'whole'; readonly manifest: Manifest }
  | { readonly state: 'missing' }
  /** `fault` names the file that is not as it was written. */
  | { readonly state: 'damaged'; readonly fault: string }

/** Reads all of a finished graph and compares it with its checksums. */
export async function cachedGraph(folder: string): Promise<CachedGraph> {
  if (!(await exists(folder))) return { state: 'missing' }
  const manifest = await readManifest(join(folder, MANIFEST_FILE))
  if (manifest === null) return { state: 'damaged', fault: `${MANIFEST_FILE} is missing, cut off or changed` }
  const files = [
    { name: MODEL_FILE, bytes: manifest.modelBytes, checksum: manifest.modelChecksum },
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
 * Writes a graph under a temporary name and renames it when the disk has all of it: `folder` is whole or not there.
 * Of two processes that build the same, the later one uses what the first made.
 *
 * @throws {ModelFileError} no room, or the folder cannot be written
 */
export async function storeGraph(folder: string, build: GraphBuild, onProgress: (fraction: number) => void): Promise<Manifest> {
  const temporary = temporaryName(folder)
  const sizes = { modelBytes: build.plan.model.length, dataBytes: build.plan.dataBytes }
  const bytes = sizes.modelBytes + sizes.dataBytes
  try {
    await mkdir(temporary, { recursive: true })
    await checkRoom(temporary, bytes)
    await writeGraph(temporary, build.plan, build.source, onProgress)
    // Parsed, so that its fields are in the order in which they are read again.
    const manifest = Manifest.parse({
      ...build.description,
      ...sizes,
      modelChecksum: await fileChecksum(join(temporary, MODEL_FILE)),
      dataChecksum: await fileChecksum(join(temporary, DATA_FILE))
    })
    const file = { manifest, checksum: textChecksum(JSON.stringify(manifest)) } satisfies z.infer<typeof ManifestFile>
    await writeFile(join(temporary, MANIFEST_FILE), JSON.stringify(file), { flush: true })
    return await publish(temporary, folder, manifest)
  } catch (error) {
    throw toModelFileError(error, folder, bytes)
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

/** Removes what builds on this host left behind when they were killed. */
export async function removeDeadBuilds(parent: string): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    const [, owner, startedMs] = name.split(`.${hostname()}.`)[1]?.match(/^(\d+)-(\d+)-[^.]*\.tmp$/) ?? []
    if (owner === undefined || isRunning(Number(owner), Number(startedMs))) continue
    // In a folder that is read-only they stay.
    await rm(join(parent, name), { recursive: true, force: true }).catch(() => {})
  }
}

/** Finished graphs in a cache folder, by name. */
export async function graphNames(parent: string): Promise<readonly string[]> {
  return (await readdir(parent).catch(() => [])).filter(name => /^[0-9a-f]{64}$/.test(name)).toSorted()
}

/** As it was written, field by field; null when it is not. */
async function readManifest(path: string): Promise<Manifest | null> {
  try {
    const { manifest, checksum } = ManifestFile.parse(JSON.parse(await readFile(path, 'utf8')))
    return textChecksum(JSON.stringify(manifest)) === checksum ? manifest : null
  } catch {
    return null
  }
}

/** Unlike that of any other build, on this host or another. */
function temporaryName(folder: string): string {
  return `${folder}.${hostname()}.${process.pid}-${STARTED_MS}-${randomUUID().slice(0, 8)}.tmp`
}

async function publish(temporary: string, folder: string, manifest: Manifest): Promise<Manifest> {
  for (let attempt = 1; ; attempt++) {
    try {
      await rename(temporary, folder)
      return manifest
    } catch (error) {
      if (attempt === PUBLISH_ATTEMPTS || !(await exists(folder))) throw error
    }
    const theirs = await cachedGraph(folder)
    if (theirs.state === 'whole') return theirs.manifest
    // Moved away at once, so that no process ever finds half of it. Another process may be faster.
    const damaged = temporaryName(folder)
    await rename(folder, damaged).catch(() => {})
    await rm(damaged, { recursive: true, force: true })
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false
  )
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
