import { randomUUID } from 'node:crypto'
import { link, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { diskFault } from './disk-space.ts'
import { errorCode } from './source-error.ts'

const Owner = z.strictObject({ pid: z.int(), host: z.string(), token: z.string() })
type Owner = z.infer<typeof Owner>

const BEAT_MS = 2000
/** Without a beat for this long the owner is dead, wherever it ran. */
const STALE_MS = 15_000
const POLL_MS = 100

/**
 * Holds `.lock` in a folder, so that one process at a time writes there. The dead leave no lock: a process that is
 * gone, or that has not touched its lock for 15 s (another host, another container), has lost it. The checksum is what
 * protects the file; the lock saves work.
 *
 * @param onWait called once, with the owner's process id, where somebody else holds it
 */
export async function lockFolder(folder: string, signal: AbortSignal, onWait: (pid: number) => void): Promise<AsyncDisposable> {
  const file = join(folder, '.lock')
  const own: Owner = { pid: process.pid, host: hostname(), token: randomUUID() }
  let hasWaited = false
  while (!(await take(file, own, folder))) {
    const owner = await readOwner(file)
    if (owner !== null && (await isStale(file, owner))) {
      await breakLock(file, owner)
      continue
    }
    if (!hasWaited && owner !== null) {
      onWait(owner.pid)
      hasWaited = true
    }
    await delay(POLL_MS, undefined, { signal })
  }

  const beat = setInterval(() => void utimes(file, new Date(), new Date()).catch(() => {}), BEAT_MS)
  beat.unref()
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(beat)
      if ((await readOwner(file))?.token === own.token) await rm(file, { force: true })
    }
  }
}

/** The lock appears with its content: written aside, then linked. */
async function take(file: string, own: Owner, folder: string): Promise<boolean> {
  const aside = `${file}.${own.token}`
  try {
    await writeFile(aside, JSON.stringify(own))
    await link(aside, file)
    return true
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false
    throw diskFault(error, folder)
  } finally {
    await rm(aside, { force: true })
  }
}

async function readOwner(file: string): Promise<Owner | null> {
  try {
    return Owner.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch (error) {
    // Gone, or not ours to understand: then it is stale by age alone.
    return errorCode(error) === 'ENOENT' ? null : { pid: 0, host: '', token: '' }
  }
}

async function isStale(file: string, owner: Owner): Promise<boolean> {
  if (owner.host === hostname() && !isAlive(owner.pid)) return true
  const found = await stat(file).catch(() => null)
  return found !== null && Date.now() - found.mtimeMs > STALE_MS
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errorCode(error) === 'EPERM'
  }
}

/** Takes the lock away and looks: if somebody had taken it over in the meantime, they get it back. */
async function breakLock(file: string, stale: Owner): Promise<void> {
  const aside = `${file}.${randomUUID()}`
  try {
    await rename(file, aside)
    const taken = await readOwner(aside)
    if (taken !== null && taken.token !== stale.token) await link(aside, file)
  } catch (error) {
    if (!['ENOENT', 'EEXIST'].includes(errorCode(error) ?? '')) throw error
  } finally {
    await rm(aside, { force: true })
  }
}
