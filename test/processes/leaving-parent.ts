import { spawn } from 'node:child_process'
import { owned } from './owned-process.ts'

/** Runs as a separate process: starts a child that never ends, prints its pid, and ends in the way of its argument. */
const [way] = process.argv.slice(2)
const child = owned(spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' }))
child.unref()
process.stdout.write(`${child.pid}\n`, () => {
  if (way === 'exits') process.exit(0)
  if (way === 'throws') throw new Error('as a test does')
  if (way === 'is killed') process.kill(process.pid, 'SIGKILL')
  if (way === 'is terminated') process.kill(process.pid, 'SIGTERM')
})
