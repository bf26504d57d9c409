import { readdir, readFile } from 'node:fs/promises'
import { platform } from 'node:process'

/**
 * Whether a running process has mapped a file of this folder, as a worker does with its weights. Processes of other
 * users are visible to root only.
 *
 * @returns null where the system does not report them: only Linux does
 */
export async function isMapped(folder: string): Promise<boolean | null> {
  if (platform !== 'linux') return null
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    // The process has ended, or belongs to another user.
    const maps = await readFile(`/proc/${pid}/maps`, 'utf8').catch(() => '')
    if (maps.includes(`${folder}/`)) return true
  }
  return false
}
