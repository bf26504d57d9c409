import { randomUUID } from 'node:crypto'
import { access, mkdir, readdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { DATA_FILE, type GraphPlan, MODEL_FILE } from '../graph/graph-plan.ts'
import type { WeightSource } from '../graph/weight-source.ts'
import { writeGraph } from '../graph/write-graph.ts'
import { ModelFileError } from '../weights/model-file-error.ts'

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
  dataBytes: z.int().positive()
})
export type Manifest = Readonly<z.infer<typeof Manifest>>

/** Tells us from an earlier process of the same id: in a container that is restarted the id is always the same. */
const STARTED_MS = Math.round(performance.timeOrigin)

/** Space that must be left for others. */
const SPARE_BYTES = 16 * 2 ** 20

export interface GraphBuild {
  readonly plan: GraphPlan
  readonly source: WeightSource
  readonly description: Omit<Manifest, 'modelBytes' | 'dataBytes'>
}

/** The manifest of a finished graph; null if there is none, or its files are not as they were written. */
export async function cachedGraph(folder: string): Promise<Manifest | null> {
  try {
    const manifest = Manifest.parse(JSON.parse(await readFile(join(folder, MANIFEST_FILE), 'utf8')))
    const [model, data] = await Promise.all([stat(join(folder, MODEL_FILE)), stat(join(folder, DATA_FILE))])
    return model.size === manifest.modelBytes && data.size === manifest.dataBytes ? manifest : null
  } catch {
    return null
  }
}

/**
 * Writes a graph under a temporary name and renames it when the disk has all of it: `folder` is whole or not there.
 * Of two processes that build the same, the later one uses what the first made.
 *
 * @throws {ModelFileError} no room, or the folder cannot be written
 */
export async function storeGraph(folder: string, build: GraphBuild, onProgress: (fraction: number) => void): Promise<Manifest> {
  const temporary = temporaryName(folder)
  const manifest = { ...build.description, modelBytes: build.plan.model.length, dataBytes: build.plan.dataBytes }
  try {
    await mkdir(temporary, { recursive: true })
    await checkRoom(temporary, manifest.modelBytes + manifest.dataBytes)
    await writeGraph(temporary, build.plan, build.source, onProgress)
    await writeFile(join(temporary, MANIFEST_FILE), JSON.stringify(manifest), { flush: true })
    return await publish(temporary, folder, manifest)
  } catch (error) {
    throw toModelFileError(error, folder, manifest.modelBytes + manifest.dataBytes)
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

/** Removes what builds on this host left behind when they were killed. */
export async function removeDeadBuilds(parent: string): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    const [, owner, startedMs] = name.split(`.${hostname()}.`)[1]?.match(/^(\d+)-(\d+)-[^.]*\.tmp$/) ?? []
    if (owner === undefined || isRunning(Number(owner), Number(startedMs))) continue
    await rm(join(parent, name), { recursive: true, force: true })
  }
}

/** Unlike that of any other build, on this host or another. */
function temporaryName(folder: string): string {
  return `${folder}.${hostname()}.${process.pid}-${STARTED_MS}-${randomUUID().slice(0, 8)}.tmp`
}

async function publish(temporary: string, folder: string, manifest: Manifest): Promise<Manifest> {
  try {
    await rename(temporary, folder)
    return manifest
  } catch (error) {
    const there = await access(folder).then(
      () => true,
      () => false
    )
    if (!there) throw error
  }
  const theirs = await cachedGraph(folder)
  if (theirs !== null) return theirs
  // A folder without a whole graph: not of our making, or damaged since.
  await rm(folder, { recursive: true, force: true })
  await rename(temporary, folder)
  return manifest
}

async function checkRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize < bytes + SPARE_BYTES) {
    throw new ModelFileError(`${folder}: preparing the model needs ${bytes} bytes, but the disk has ${bavail * bsize} free`)
  }
}

function toModelFileError(error: unknown, folder: string, bytes: number): unknown {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return error
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
