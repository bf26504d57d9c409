import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { readAhead } from './build/read-ahead.ts'

/**
 * A cached hash and the file attributes for which it is valid. `ctime` also changes when a copy preserves the old
 * `mtime`.
 */
const HashRecord = z.strictObject({
  bytes: z.number(),
  mtimeMs: z.number(),
  ctimeMs: z.number(),
  inode: z.number(),
  sha256: z.string().length(64)
})
type HashRecord = z.infer<typeof HashRecord>

/**
 * SHA-256 of a file's content, hexadecimal. A record in `cacheFolder` avoids reading the same file at each start.
 *
 * @param onRead  called with the number of bytes of each read; not called if a record is valid
 */
export async function sourceHash(path: string, cacheFolder: string, onRead: (bytes: number) => void): Promise<string> {
  const file = await realpath(path)
  const stats = await stat(file)
  const identity = { bytes: stats.size, mtimeMs: stats.mtimeMs, ctimeMs: stats.ctimeMs, inode: stats.ino }
  const folder = join(cacheFolder, 'hashes')
  const recordPath = join(folder, `${sha256(file).slice(0, 32)}.json`)

  const record = await readRecord(recordPath)
  if (record !== null && JSON.stringify({ ...identity, sha256: record.sha256 }) === JSON.stringify(record)) return record.sha256

  const content = { ...identity, sha256: await hashFile(file, onRead) } satisfies HashRecord
  // Where nothing can be written (a read-only folder, a full disk), each start reads the file.
  await writeRecord(folder, recordPath, content).catch(() => {})
  return content.sha256
}

async function writeRecord(folder: string, recordPath: string, content: HashRecord): Promise<void> {
  await mkdir(folder, { recursive: true })
  const temporary = `${recordPath}.${randomUUID().slice(0, 8)}.tmp`
  try {
    await writeFile(temporary, JSON.stringify(content))
    await rename(temporary, recordPath)
  } finally {
    await rm(temporary, { force: true })
  }
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** null where the record is missing, unreadable or of another format: the file is then read again. */
async function readRecord(path: string): Promise<HashRecord | null> {
  try {
    return HashRecord.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch {
    return null
  }
}

async function hashFile(path: string, onRead: (bytes: number) => void): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of readAhead(path)) {
    hash.update(chunk)
    onRead(chunk.length)
  }
  return hash.digest('hex')
}
