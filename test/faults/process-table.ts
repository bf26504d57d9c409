import { readdirSync, readFileSync } from 'node:fs'

/** Worker processes below `rootPid`, by their command line. Linux only. */
export function workerPidsBelow(rootPid: number): readonly number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? readOrNull(`/proc/${name}/stat`) : null
    // The command, in parentheses, may hold anything: fields are counted behind the last one. Field 4 is the parent.
    if (stat !== null) parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
  }
  return [...parents.keys()].filter(
    pid => parents.get(pid) === rootPid && (readOrNull(`/proc/${pid}/cmdline`) ?? '').includes('worker-process')
  )
}

/** Open file descriptors of a process; null when it is gone. */
export function openFiles(pid: number): number | null {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return null
  }
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
