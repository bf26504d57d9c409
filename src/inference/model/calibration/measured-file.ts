import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { sha256 } from '../source-hash.ts'

const Checked = z.strictObject({ measured: z.unknown(), checksum: z.int() })

const FOLDER = 'recipes'

/** @param subject  identifies what was measured */
export async function readMeasured<T>(cacheFolder: string, subject: string, schema: z.ZodType<T>): Promise<T | null> {
  try {
    const { measured, checksum } = Checked.parse(JSON.parse(await readFile(pathOf(cacheFolder, subject), 'utf8')))
    const value = schema.parse(measured)
    return crc32(JSON.stringify(value)) === checksum ? value : null
  } catch {
    // It is missing, of another format, or was changed.
    return null
  }
}

/** Saves what was measured for `readMeasured`, with a checksum. */
export async function writeMeasured<T>(cacheFolder: string, subject: string, schema: z.ZodType<T>, value: T): Promise<void> {
  const path = pathOf(cacheFolder, subject)
  // Parsed, so that the fields have the order in which they are read later: the checksum depends on it.
  const measured = schema.parse(value)
  const temporary = `${path}.${process.pid}.tmp`
  await mkdir(join(cacheFolder, FOLDER), { recursive: true })
  await writeFile(temporary, JSON.stringify({ measured, checksum: crc32(JSON.stringify(measured)) }), { flush: true })
  await rename(temporary, path)
}

function pathOf(cacheFolder: string, subject: string): string {
  return join(cacheFolder, FOLDER, `${sha256(subject).slice(0, 32)}.json`)
}
