import { readFile, stat } from 'node:fs/promises'
import { ServiceError } from '../../contract/errors.ts'
import { LIMITS } from '../../contract/limits.ts'

/** The largest published tokenizer.json has about 35 MiB. */
const MAX_FILE_BYTES = 128 * 2 ** 20

/**
 * Null when there is no such file.
 *
 * @throws {ServiceError} `unavailable` when it is not a regular file (a pipe could block for ever), too large, or
 *   unreadable
 */
export async function readText(path: string): Promise<string | null> {
  try {
    const stats = await stat(path)
    if (!stats.isFile()) throw new Error('it is not a regular file')
    if (stats.size > MAX_FILE_BYTES) throw new Error(`it has ${stats.size} bytes, at most ${MAX_FILE_BYTES} are allowed`)
    return await readFile(path, 'utf8')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null
    throw new ServiceError('unavailable', `${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

/**
 * Null when there is no such file.
 *
 * @throws {ServiceError} `unavailable` when it cannot be read, is not JSON, or is nested deeper than
 *   `LIMITS.jsonDepth`: code that walks it recursively would overflow the stack
 */
export async function readJson(path: string): Promise<unknown> {
  const text = await readText(path)
  if (text === null) return null
  const value = parseJson(path, text)
  if (isDeeperThan(value, LIMITS.jsonDepth)) {
    throw new ServiceError('unavailable', `${path} is nested deeper than ${LIMITS.jsonDepth} levels of arrays and objects`)
  }
  return value
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ServiceError('unavailable', `${path} is not JSON`, { cause })
  }
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some(item => isDeeperThan(item, levels - 1))
}
