import { randomUUID } from 'node:crypto'
import { link, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { errorCode } from '../error-facts.ts'
import { diskFault } from './disk-space.ts'

const Owner = z.strictObject({ pid: z.int(), host: z.string(), token: z.string() })
type Owner = z.infer<typeof Owner>

const HEARTBEAT_MS = 2000
/** An owner that has not refreshed its lock for this long is dead, on whichever host it ran. */
const STALE_MS = 15_000
const POLL_MS = 100

/**
 * Holds `.lock` in a folder, so that one process at a time writes there. A lock is stale, and broken, if its process
 * has exited or has not refreshed it for 15 s (processes on other hosts and in other containers). The lock only avoids
 * duplicate work; the checksum protects the file.
 *
 * @param onWait called once, with the owner's process id, if another process holds the lock
 */
export async function lockFolder(folder: string, signal: AbortSignal, onWait: (pid: number) => void): Promise<AsyncDisposable> {
  const file = join(folder, '.lock')
  const own: Owner = { pid: process.pid, host: hostname(), token: randomUUID() }
  let hasWaited = false
  while (!(await acquire(file, own, folder))) {
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

  const heartbeat = setInterval(() => void utimes(file, new Date(), new Date()).catch(() => {}), HEARTBEAT_MS)
  heartbeat.unref()
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(heartbeat)
      if ((await readOwner(file))?.token === own.token) await rm(file, { force: true })
    }
  }
}

/** Creates the lock together with its content: written to another name, then linked. */
async function acquire(file: string, own: Owner, folder: string): Promise<boolean> {
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
    // An unreadable lock is stale by age alone.
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

/** Moves the lock away and reads it again: a lock that another process acquired in the meantime is put back. */
async function breakLock(file: string, stale: Owner): Promise<void> {
  const aside = `${file}.${randomUUID()}`
  try {
    await rename(file, aside)
    const moved = await readOwner(aside)
    if (moved !== null && moved.token !== stale.token) await link(aside, file)
  } catch (error) {
    if (!['ENOENT', 'EEXIST'].includes(errorCode(error) ?? '')) throw error
  } finally {
    await rm(aside, { force: true })
  }
}
