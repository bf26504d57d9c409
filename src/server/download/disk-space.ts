import { statfs } from 'node:fs/promises'
import { ExitError } from '../config/exit-error.ts'
import { errorCode } from '../error-facts.ts'
import { megabytes } from './reporter.ts'

/** @throws {ExitError} 1, if the disk of `folder` has less free space than that */
export async function checkRoom(folder: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  const freeBytes = bavail * bsize
  if (freeBytes < neededBytes)
    throw new ExitError(1, `not enough disk space in ${folder}: ${megabytes(neededBytes)} needed, ${megabytes(freeBytes)} free`)
}

/**
 * Turns errors of a full disk (or quota) or a read-only folder into an ExitError, as every source would fail; returns
 * others unchanged.
 */
export function diskFault(error: unknown, folder: string): unknown {
  switch (errorCode(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new ExitError(1, `no disk space left in ${folder}: free some and start again, the download resumes where it stopped`, {
        cause: error
      })
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new ExitError(
        1,
        `${folder} is not writable (${errorCode(error)}): grant this user write access, or choose another folder with --models-folder`,
        { cause: error }
      )
    default:
      return error
  }
}
