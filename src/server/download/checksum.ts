import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'

export interface ExpectedFile {
  readonly bytes: number
  /** Hex. */
  readonly sha256: string
}

export type FileState = 'missing' | 'damaged' | 'verified'

/**
 * What a look at a file costs: `remember` trusts the size and time of a file that was hashed before, `hash` reads all
 * of it.
 */
export type CheckDepth = 'remember' | 'hash'

/** Beside a file that was found right lies `<file>.verified`, so that the next start does not read all of it. */
export async function checkFile(path: string, expected: ExpectedFile, depth: CheckDepth, signal: AbortSignal): Promise<FileState> {
  const memory = await memoryOf(path, expected)
  if (memory === null) return 'missing'
  if (depth === 'remember' && (await readMemory(path)) === memory) return 'verified'
  if (!(await hasChecksum(path, expected, signal))) return 'damaged'
  await rememberFile(path, expected)
  return 'verified'
}

/** Whether a file that is there is the one expected; all of it is read. */
export async function hasChecksum(path: string, { bytes, sha256 }: ExpectedFile, signal: AbortSignal): Promise<boolean> {
  if ((await stat(path)).size !== bytes) return false
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 2 ** 20 }), hash, { signal })
  return hash.digest('hex') === sha256
}

/** Notes that a file was found right. In a folder that is read-only nothing is noted, and each start reads the file. */
export async function rememberFile(path: string, expected: ExpectedFile): Promise<void> {
  const memory = await memoryOf(path, expected)
  if (memory !== null) await writeFile(memoryFile(path), memory).catch(() => {})
}

async function memoryOf(path: string, { sha256 }: ExpectedFile): Promise<string | null> {
  const found = await stat(path).catch(() => null)
  return found?.isFile() ? JSON.stringify({ bytes: found.size, mtimeMs: found.mtimeMs, sha256 }) : null
}

async function readMemory(path: string): Promise<string> {
  return await readFile(memoryFile(path), 'utf8').catch(() => '')
}

function memoryFile(path: string): string {
  return `${path}.verified`
}
