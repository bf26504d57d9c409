import { readFile, stat } from 'node:fs/promises'
import { ModelFileError } from './model-file-error.ts'

/**
 * @throws {ModelFileError} the file is missing, not a regular file (a pipe could block for ever), too large, or not
 *   JSON
 */
export async function readJsonFile(path: string, maxBytes: number): Promise<unknown> {
  try {
    const stats = await stat(path)
    if (!stats.isFile()) throw new Error('it is not a regular file')
    if (stats.size > maxBytes) throw new Error(`it has ${stats.size} bytes, at most ${maxBytes} are allowed`)
    return JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    throw new ModelFileError(`${path}: cannot be read (${cause instanceof Error ? cause.message : String(cause)})`, { cause })
  }
}
