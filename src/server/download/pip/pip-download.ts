import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Environment } from '../../config/environment.ts'
import type { WheelSource } from '../catalog.ts'
import { hasChecksum } from '../checksum.ts'
import { diskFault } from '../disk-space.ts'
import type { Reporter } from '../reporter.ts'
import { SourceError } from '../source-error.ts'

export interface PipRequest {
  /** Where the wheel shall be. */
  readonly target: string
  /** pip works here; made, and removed afterwards. */
  readonly scratch: string
  /** The Python to run. */
  readonly python: string
  readonly environment: Environment
  readonly reporter: Reporter
  readonly signal: AbortSignal
}

const LOOK_MS = 300

/**
 * Lets pip fetch a wheel: it knows its own indexes, proxies and passwords. Wheels only, so nothing of the package runs.
 *
 * @throws {SourceError} no Python, no pip, or pip could not
 * @throws {ExitError}   1, the disk is full
 */
export async function pipDownload(source: WheelSource, request: PipRequest): Promise<void> {
  const { scratch, target, signal } = request
  await rm(scratch, { recursive: true, force: true })
  await mkdir(scratch, { recursive: true })
  try {
    await runPip(source, request)
    const wheel = join(scratch, source.wheel)
    if (!(await hasChecksum(wheel, source, signal))) throw new SourceError('pip delivered another file: its checksum is wrong')
    await rename(wheel, target)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function runPip(source: WheelSource, { python, scratch, environment, reporter, signal }: PipRequest): Promise<void> {
  const child = spawn(
    python,
    [
      ...['-m', 'pip', 'download', '--no-deps', '--only-binary', ':all:', '--no-cache-dir', '--no-input', '--progress-bar', 'off'],
      ...['--disable-pip-version-check', '--timeout', '15', '--retries', '1', '--dest', scratch, `${source.project}==${source.version}`]
    ],
    // pip writes to its temporary folder first: the right disk, and we see how far it is.
    { stdio: ['ignore', 'ignore', 'pipe'], env: { ...environment, TMPDIR: scratch, TEMP: scratch, TMP: scratch }, signal }
  )
  let complaints = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints = (complaints + text).slice(-10_000)
  })
  const progress = reporter.progress(source.bytes, 0)
  const look = setInterval(() => void largestFile(scratch).then(bytes => progress.update(Math.min(bytes, source.bytes))), LOOK_MS)
  try {
    const { promise, resolve, reject } = Promise.withResolvers<number | null>()
    child.once('error', reject).once('close', resolve)
    const code = await promise
    if (code !== 0) throw pipFault(complaints, scratch)
    progress.update(source.bytes)
  } catch (error) {
    if (signal.aborted) {
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) await once(child, 'close')
      throw signal.reason
    }
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      throw new SourceError(`${python} is not installed`, { cause: error })
    throw error
  } finally {
    clearInterval(look)
    progress.end()
  }
}

function pipFault(complaints: string, folder: string): unknown {
  if (complaints.includes('[Errno 28]')) return diskFault(Object.assign(new Error('pip'), { code: 'ENOSPC' }), folder)
  const lines = complaints.split('\n').map(line => line.trim())
  const line = lines.findLast(text => text.startsWith('ERROR:')) ?? lines.findLast(text => text !== '') ?? 'it failed without a word'
  return new SourceError(`pip says: ${line.replace(/^ERROR:\s*/, '')}`)
}

/** Bytes of the largest file below `folder`; 0 while there is none. */
async function largestFile(folder: string): Promise<number> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    const sizes = await Promise.all(
      entries.filter(entry => entry.isFile()).map(entry => stat(join(entry.parentPath, entry.name)).then(found => found.size))
    )
    return Math.max(0, ...sizes)
  } catch {
    return 0 // pip moves and removes files while we look
  }
}
