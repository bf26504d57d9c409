import { type ChildProcess, spawn } from 'node:child_process'
import type { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

const REAPER = fileURLToPath(new URL('./reaper.ts', import.meta.url))

let toReaper: Writable | null = null

/**
 * Every child process of a test goes through this: it is killed at the latest when the process of the test file is
 * gone, also where a hook timed out or that process was killed itself. A child left behind would keep its port, and its
 * copy of our standard error, for which the test runner waits.
 */
export function owned<Child extends ChildProcess>(child: Child): Child {
  const { pid } = child
  if (pid === undefined) return child
  toReaper ??= startReaper()
  toReaper.write(`start ${pid}\n`)
  child.once('exit', () => toReaper?.write(`end ${pid}\n`))
  return child
}

/** In a session of its own, so that a Ctrl-C that ends the tests does not end it too. */
function startReaper(): Writable {
  const reaper = spawn(process.execPath, [REAPER], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  reaper.unref()
  const { stdin } = reaper
  if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref()
  return stdin
}
