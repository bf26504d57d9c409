import { createInterface } from 'node:readline'

/**
 * Run as a process of its own. Reads `start <pid>` and `end <pid>`, one a line, and kills what has not ended when its
 * input does: that is when the process at the other end is gone, however it went.
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
    // It has ended.
  }
}
