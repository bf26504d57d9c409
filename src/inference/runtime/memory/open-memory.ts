import { platform } from 'node:process'
import type { PagedMemory } from './paged-memory.ts'
import { PosixMemory } from './posix-memory.ts'
import { WindowsMemory } from './windows-memory.ts'

/** The implementation of `PagedMemory` for this system. */
export function openMemory(): PagedMemory {
  return platform === 'win32' ? new WindowsMemory() : new PosixMemory()
}
