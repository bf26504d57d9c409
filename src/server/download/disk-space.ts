import { statfs } from 'node:fs/promises'
import { ExitError } from '../config/exit-error.ts'
import { megabytes } from './reporter.ts'
import { errorCode } from './source-error.ts'

/** @throws {ExitError} 1, when `folder` has no room for that many bytes */
export async function checkRoom(folder: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  const freeBytes = bavail * bsize
  if (freeBytes < neededBytes)
    throw new ExitError(1, `${folder} has no room: ${megabytes(neededBytes)} are needed, ${megabytes(freeBytes)} are free`)
}

/** A full disk (or quota) ends the command: no other source would help. Other errors pass as they are. */
export function diskFault(error: unknown, folder: string): unknown {
  switch (errorCode(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new ExitError(1, `${folder} is full: make room and start again, the download goes on where it stopped`, { cause: error })
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new ExitError(
        1,
        `${folder} cannot be written to (${errorCode(error)}): let this user write to it, or choose another models folder with --models-folder`,
        { cause: error }
      )
    default:
      return error
  }
}
