import { createInterface } from 'node:readline'

/**
 * Runs as a separate process. Reads lines `start <pid>` and `end <pid>`. At the end of its input, that is when the
 * process that writes to it has ended in any way, it kills the processes that are still running.
 */
const running = new Set<number>()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
for await (const line of createInterface(process.stdin)) {
  const [change, pid] = line.split(' ')
  if (change === 'start') running.add(Number(pid))
  else running.delete(Number(pid))
}
for (const pid of running) {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // The process has ended already.
  }
}
