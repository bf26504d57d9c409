import { dirname } from 'node:path'
import { type ExpectedFile, hasChecksum } from './checksum.ts'
import { checkRoom } from './disk-space.ts'
import { downloadPart, type PartRequest, partBytes, removePart } from './download-part.ts'
import { SourceError } from './source-error.ts'

export interface VerifiedRequest extends PartRequest, ExpectedFile {
  /** Bytes needed on the disk in addition to the file itself. */
  readonly extraBytes: number
}

/**
 * Downloads into `part` and verifies the checksum. A file with another checksum is deleted; if an earlier run had begun
 * it, it is downloaded once more from the start.
 *
 * @throws {SourceError} the server failed, or sent a different file
 * @throws {ExitError}   1, the disk is full
 */
export async function downloadVerified(request: VerifiedRequest): Promise<void> {
  const { part, bytes, extraBytes, url, reporter, signal } = request
  await checkRoom(dirname(part), bytes - (await partBytes(part, bytes)) + extraBytes)
  const { wasResumed } = await downloadPart(request)
  if (await hasChecksum(part, request, signal)) return
  await removePart(part)
  if (wasResumed) {
    reporter.problem('the resumed download has the wrong checksum: downloading again from the start')
    await downloadPart(request)
    if (await hasChecksum(part, request, signal)) return
    await removePart(part)
  }
  throw new SourceError(`${url.host} sent a different file: its checksum does not match the catalogue`)
}
