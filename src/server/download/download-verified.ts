import { dirname } from 'node:path'
import { type ExpectedFile, hasChecksum } from './checksum.ts'
import { checkRoom } from './disk-space.ts'
import { downloadPart, type PartRequest, partBytes, removePart } from './download-part.ts'
import { SourceError } from './source-error.ts'

export interface VerifiedRequest extends PartRequest, ExpectedFile {
  /** Bytes needed on the disk beside the file itself. */
  readonly extraBytes: number
}

/**
 * Downloads into `part` and checks the sum. A wrong file is deleted; where an earlier run had begun it, it is fetched
 * once more from the start.
 *
 * @throws {SourceError} the server does not deliver, or not that file
 * @throws {ExitError}   1, the disk is full
 */
export async function downloadVerified(request: VerifiedRequest): Promise<void> {
  const { part, bytes, extraBytes, url, reporter, signal } = request
  await checkRoom(dirname(part), bytes - (await partBytes(part, bytes)) + extraBytes)
  const { wasResumed } = await downloadPart(request)
  if (await hasChecksum(part, request, signal)) return
  await removePart(part)
  if (wasResumed) {
    reporter.problem('what an earlier download left does not fit: once more from the start')
    await downloadPart(request)
    if (await hasChecksum(part, request, signal)) return
    await removePart(part)
  }
  throw new SourceError(`${url.host} delivered another file: its checksum is not the one of the catalogue`)
}
