import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

const PREFIX = 'everstream-tests-'

/**
 * Before the run: sets one folder for all temporary files of the tests, and in it a cache of compiled code, which
 * halves the CPU time of each start of the program. After the run: deletes the folder, with files that failed tests
 * left in it.
 */
export function setup(): () => void {
  // Called once for the run and once for each project of vitest.config.ts.
  if (basename(tmpdir()).startsWith(PREFIX)) return () => {}
  removeFoldersOfKilledRuns()
  const folder = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`))
  process.env['TMPDIR'] = folder
  process.env['NODE_COMPILE_CACHE'] = join(folder, 'compile-cache')
  return () => remove(folder)
}

/** A run that is killed or interrupted leaves its folder, whose name contains the pid of that run. */
function removeFoldersOfKilledRuns(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1]
    if (pid !== undefined && !isRunning(Number(pid))) remove(join(tmpdir(), name))
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
}
