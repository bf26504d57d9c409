import { type ChildProcess, spawn } from 'node:child_process'
import type { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

const REAPER = fileURLToPath(new URL('./reaper.ts', import.meta.url))

let toReaper: Writable | null = null

/**
 * Must be called with every child process of a test: the child is killed at the latest when the process of the test
 * file has ended, even where a hook timed out or that process itself was killed. An orphaned child would keep its port
 * and its copy of standard error, for which the test runner waits.
 */
export function owned<Child extends ChildProcess>(child: Child): Child {
  const { pid } = child
  if (pid === undefined) return child
  toReaper ??= startReaper()
  toReaper.write(`start ${pid}\n`)
  child.once('exit', () => toReaper?.write(`end ${pid}\n`))
  return child
}

/**
 * Sends SIGSTOP to a process that the program has started: a stopped process does not end when its parent dies.
 */
export function freeze(pid: number): void {
  toReaper ??= startReaper()
  toReaper.write(`start ${pid}\n`)
  process.kill(pid, 'SIGSTOP')
}

/** In a separate session, so that a Ctrl-C that ends the tests does not end the reaper. */
function startReaper(): Writable {
  const reaper = spawn(process.execPath, [REAPER], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  reaper.unref()
  const { stdin } = reaper
  if ('unref' in stdin && typeof stdin.unref === 'function') stdin.unref()
  return stdin
}
