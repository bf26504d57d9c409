import { execFile } from 'node:child_process'
import { access, mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const CACHE = join(import.meta.dirname, '..', '..', 'node_modules', '.cache')
/** Enough for a slow package index. Only the first run installs anything. */
const INSTALL_MS = 240_000

/**
 * The interpreter of a virtual environment with exactly these packages: created at the first call, then kept under
 * node_modules/.cache.
 *
 * @param name          of its folder; another name for other packages
 * @param requirements  `package==version`
 * @returns null when this machine has no Python 3, or cannot reach a package index
 * @throws in CI instead of returning null, because no test may be skipped there
 */
export async function pythonWith(name: string, requirements: readonly string[]): Promise<string | null> {
  const folder = join(CACHE, name)
  const python = join(folder, 'bin', 'python')
  if (await exists(python)) return python
  const draft = `${folder}.${process.pid}`
  try {
    await mkdir(CACHE, { recursive: true })
    await run('python3', ['-m', 'venv', draft], { timeout: INSTALL_MS })
    await run(join(draft, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', '--no-input', ...requirements], { timeout: INSTALL_MS })
    // A virtual environment can be moved as long as only its interpreter is called.
    await rename(draft, folder)
    return python
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    if (await exists(python)) return python
    if (process.env['CI'] !== undefined) throw error
    console.warn(`skipped: no Python with ${requirements.join(', ')} (${firstLine(error)})`)
    return null
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false
  )
}

function firstLine(error: unknown): string {
  return String(error).split('\n', 1)[0] ?? ''
}
