import { platform } from 'node:process'
import { loadLibrary } from './native-library.ts'

const MFD_CLOEXEC = 1

/**
 * A file in memory without a name: it lives as long as somebody has it open or mapped, and what is not written in it
 * costs nothing. Children get it where they are given its descriptor.
 *
 * @returns its descriptor; null where the system has none
 */
export function createCacheFile(): number | null {
  if (platform !== 'linux') return null
  try {
    const descriptor: number = loadLibrary(null).func('memfd_create', 'int', ['str', 'uint'])('everstream-cache', MFD_CLOEXEC)
    return descriptor < 0 ? null : descriptor
  } catch {
    // A C library that does not know the call.
    return null
  }
}
