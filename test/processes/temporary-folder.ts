import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Before the run: sets one folder for all temporary files of the tests, and in it a cache of compiled code, which halves
 * the CPU time of each start of the program. After the run: deletes the folder, with files that failed tests left in it.
 */
export function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'everstream-tests-'))
  process.env['TMPDIR'] = folder
  process.env['NODE_COMPILE_CACHE'] = join(folder, 'compile-cache')
  return () => rmSync(folder, { recursive: true, force: true })
}
