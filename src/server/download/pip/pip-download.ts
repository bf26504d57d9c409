import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Environment } from '../../config/environment.ts'
import { errorCode } from '../../error-facts.ts'
import type { WheelSource } from '../catalog.ts'
import { hasChecksum } from '../checksum.ts'
import { diskFault } from '../disk-space.ts'
import type { Reporter } from '../reporter.ts'
import { SourceError } from '../source-error.ts'

export interface PipRequest {
  /** The path for the wheel. */
  readonly target: string
  /** The working folder of pip; created, and removed afterwards. */
  readonly scratch: string
  /** The Python to run. */
  readonly python: string
  readonly environment: Environment
  readonly reporter: Reporter
  readonly signal: AbortSignal
}

const POLL_MS = 300

/**
 * Downloads a wheel with pip, which uses its own indexes, proxies and passwords. Only wheels, so that no code of the
 * package is run.
 *
 * @throws {SourceError} no Python, no pip, or pip failed
 * @throws {ExitError}   1, the disk is full
 */
export async function pipDownload(source: WheelSource, request: PipRequest): Promise<void> {
  const { scratch, target, signal } = request
  await rm(scratch, { recursive: true, force: true })
  await mkdir(scratch, { recursive: true })
  try {
    await runPip(source, request)
    const wheel = join(scratch, source.wheel)
    if (!(await hasChecksum(wheel, source, signal)))
      throw new SourceError('pip downloaded a different file: its checksum does not match the catalogue')
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
    // pip writes to its temporary folder first: this puts it on the right disk and makes the progress visible.
    { stdio: ['ignore', 'ignore', 'pipe'], env: { ...environment, TMPDIR: scratch, TEMP: scratch, TMP: scratch }, signal }
  )
  let errorOutput = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errorOutput = (errorOutput + text).slice(-10_000)
  })
  const progress = reporter.progress(source.bytes, 0)
  const poll = setInterval(() => void largestFile(scratch).then(bytes => progress.update(Math.min(bytes, source.bytes))), POLL_MS)
  try {
    const { promise, resolve, reject } = Promise.withResolvers<number | null>()
    child.once('error', reject).once('close', resolve)
    const code = await promise
    if (code !== 0) throw pipFault(errorOutput, scratch)
    progress.update(source.bytes)
  } catch (error) {
    if (signal.aborted) {
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) await once(child, 'close')
      throw signal.reason
    }
    if (errorCode(error) === 'ENOENT') throw new SourceError(`${python} is not installed`, { cause: error })
    throw error
  } finally {
    clearInterval(poll)
    progress.end()
  }
}

function pipFault(errorOutput: string, folder: string): unknown {
  if (errorOutput.includes('[Errno 28]')) return diskFault(Object.assign(new Error('pip'), { code: 'ENOSPC' }), folder)
  const lines = errorOutput.split('\n').map(line => line.trim())
  const line = lines.findLast(text => text.startsWith('ERROR:')) ?? lines.findLast(text => text !== '') ?? 'pip failed without a message'
  return new SourceError(line.replace(/^ERROR:\s*/, ''))
}

/** Bytes of the largest file in `folder`, subfolders included; 0 if there is none. */
async function largestFile(folder: string): Promise<number> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    const sizes = await Promise.all(
      entries.filter(entry => entry.isFile()).map(entry => stat(join(entry.parentPath, entry.name)).then(found => found.size))
    )
    return Math.max(0, ...sizes)
  } catch {
    return 0 // pip moves and removes files at the same time
  }
}
