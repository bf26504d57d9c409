import { readFile } from 'node:fs/promises'
import { ServiceError } from '../../contract/errors.ts'

/** null when there is no such file. */
export async function readText(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null
    throw cause
  }
}

/**
 * null when there is no such file.
 *
 * @throws {ServiceError} `unavailable` when it is not JSON
 */
export async function readJson(path: string): Promise<unknown> {
  const text = await readText(path)
  if (text === null) return null
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ServiceError('unavailable', `${path} is not JSON`, { cause })
  }
}
