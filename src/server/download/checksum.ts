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

/** `cached` compares size and time with those of a file that was hashed before; `hash` reads the whole file. */
export type CheckDepth = 'cached' | 'hash'

/**
 * The result for a verified file is stored in `<file>.verified`, so that the next start need not read the whole file.
 */
export async function checkFile(path: string, expected: ExpectedFile, depth: CheckDepth, signal: AbortSignal): Promise<FileState> {
  const record = await recordOf(path, expected)
  if (record === null) return 'missing'
  if (depth === 'cached' && (await readRecord(path)) === record) return 'verified'
  if (!(await hasChecksum(path, expected, signal))) return 'damaged'
  await rememberFile(path, expected)
  return 'verified'
}

/** Whether an existing file has the expected length and checksum; reads the whole file. */
export async function hasChecksum(path: string, { bytes, sha256 }: ExpectedFile, signal: AbortSignal): Promise<boolean> {
  if ((await stat(path)).size !== bytes) return false
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 2 ** 20 }), hash, { signal })
  return hash.digest('hex') === sha256
}

/** Stores that a file was verified. In a read-only folder nothing is stored, and each start reads the file. */
export async function rememberFile(path: string, expected: ExpectedFile): Promise<void> {
  const record = await recordOf(path, expected)
  if (record !== null) await writeFile(recordFile(path), record).catch(() => {})
}

async function recordOf(path: string, { sha256 }: ExpectedFile): Promise<string | null> {
  const found = await stat(path).catch(() => null)
  return found?.isFile() ? JSON.stringify({ bytes: found.size, mtimeMs: found.mtimeMs, sha256 }) : null
}

async function readRecord(path: string): Promise<string> {
  return await readFile(recordFile(path), 'utf8').catch(() => '')
}

function recordFile(path: string): string {
  return `${path}.verified`
}
