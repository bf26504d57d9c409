import { readdirSync } from 'node:fs'

/** Open file descriptors of a process; null when it is gone. */
export function openFiles(pid: number): number | null {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return null
  }
}
