import { spawn } from 'node:child_process'
import { owned } from './owned-process.ts'

/** Run as a process of its own: starts one that never ends, says its pid, and goes in the way it is told. */
const [way] = process.argv.slice(2)
const child = owned(spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' }))
child.unref()
process.stdout.write(`${child.pid}\n`, () => {
  if (way === 'exits') process.exit(0)
  if (way === 'throws') throw new Error('as a test does')
  if (way === 'is killed') process.kill(process.pid, 'SIGKILL')
  if (way === 'is terminated') process.kill(process.pid, 'SIGTERM')
})
