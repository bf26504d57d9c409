import { execFileSync } from 'node:child_process'

/** The commit of this checkout, marked if files were changed; null outside a git checkout. */
export function ownCommit(): string | null {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], { cwd: import.meta.dirname, encoding: 'utf8', stdio: 'pipe' }).trim()
  } catch {
    return null
  }
}
