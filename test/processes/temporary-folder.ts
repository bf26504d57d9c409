import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Before the run: all temporary files of the tests go into one folder. After it: the folder goes, with what a test that
 * failed has left there.
 */
export function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'everstream-tests-'))
  process.env['TMPDIR'] = folder
  return () => rmSync(folder, { recursive: true, force: true })
}
