import { createWriteStream } from 'node:fs'
import { dirname } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { type Entry, openPromise, type ZipFile } from 'yauzl'
import { errorMessage } from '../../error-facts.ts'
import { diskFault } from '../disk-space.ts'
import { SourceError } from '../source-error.ts'

/**
 * Unpacks one member of a zip archive as a stream; the other members are not read.
 *
 * @param bytes  the length that the member must have, so that nothing larger is written
 * @throws {SourceError} the archive has no such member, or is corrupt
 */
export async function unpackMember(archive: string, member: string, bytes: number, target: string, signal: AbortSignal): Promise<void> {
  let zip: ZipFile | null = null
  try {
    zip = await openPromise(archive, { lazyEntries: true, autoClose: false })
    const entry = await findEntry(zip, member)
    if (entry === null) throw new SourceError(`the archive does not contain ${member}`)
    if (entry.uncompressedSize !== bytes) throw new SourceError(`${member} has ${entry.uncompressedSize} bytes, expected ${bytes}`)
    await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(target, { flush: true }), { signal })
  } catch (error) {
    if (signal.aborted) throw signal.reason
    const fault = diskFault(error, dirname(target))
    if (fault !== error || error instanceof SourceError) throw fault
    throw new SourceError(`the archive is corrupt: ${errorMessage(error)}`, { cause: error })
  } finally {
    zip?.close()
  }
}

async function findEntry(zip: ZipFile, member: string): Promise<Entry | null> {
  for await (const entry of zip.eachEntry()) if (entry.fileName === member) return entry
  return null
}
