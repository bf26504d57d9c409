import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'

export interface ExpectedFile {
  readonly bytes: number
  /** Hex. */
  readonly sha256: string
}

export type FileState = 'missing' | 'damaged' | 'verified'

/** What a look at a file costs: `remember` trusts the size and time of a file that was hashed before, `hash` reads all of it. */
export type CheckDepth = 'remember' | 'hash'

/** Beside each verified file, so that the next start does not read all of it. */
const Memory = z.strictObject({ bytes: z.int(), mtimeMs: z.number(), sha256: z.string() })

export async function checkFile(path: string, expected: ExpectedFile, depth: CheckDepth, signal: AbortSignal): Promise<FileState> {
  const found = await stat(path).catch(() => null)
  if (found === null || !found.isFile()) return 'missing'
  if (found.size !== expected.bytes) return 'damaged'
  const memory = { bytes: found.size, mtimeMs: found.mtimeMs, sha256: expected.sha256 }
  if (depth === 'remember' && (await readMemory(path)) === JSON.stringify(memory)) return 'verified'
  if ((await sha256Of(path, signal)) !== expected.sha256) return 'damaged'
  // A folder that is read-only is hashed at each start.
  await writeFile(memoryFile(path), JSON.stringify(memory)).catch(() => {})
  return 'verified'
}

export async function sha256Of(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 2 ** 20 }), hash, { signal })
  return hash.digest('hex')
}

async function readMemory(path: string): Promise<string | null> {
  try {
    return JSON.stringify(Memory.parse(JSON.parse(await readFile(memoryFile(path), 'utf8'))))
  } catch {
    return null
  }
}

function memoryFile(path: string): string {
  return `${path}.verified`
}
