import { platform } from 'node:process'
import { loadLibrary } from '../native/native-library.ts'

const MFD_CLOEXEC = 1

/**
 * Creates an anonymous in-memory file: it exists as long as a process has it open or mapped, and takes memory only for
 * the pages that were written. A child process inherits it by its descriptor.
 *
 * @returns its descriptor; null where the system does not support such files
 */
export function createCacheFile(): number | null {
  if (platform !== 'linux') return null
  try {
    const descriptor: number = loadLibrary(null).func('memfd_create', 'int', ['str', 'uint'])('everstream-cache', MFD_CLOEXEC)
    return descriptor < 0 ? null : descriptor
  } catch {
    // The C library has no memfd_create.
    return null
  }
}
