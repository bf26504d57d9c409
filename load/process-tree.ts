import { readdirSync, readFileSync } from 'node:fs'

/**
 * Resident bytes of a process and its descendants; null if it does not exist. Linux only. Shared pages count once for
 * each process.
 */
export function residentBytes(rootPid: number): number | null {
  const parents = parentsOfAll()
  if (!parents.has(rootPid)) return null
  const members = [...parents.keys()].filter(pid => descends(pid, rootPid, parents))
  return members.reduce((sum, pid) => sum + ownResidentBytes(pid), 0)
}

/** Resident bytes of the process alone; 0 if it does not exist. */
export function ownResidentBytes(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readOrNull(`/proc/${pid}/status`) ?? '')?.[1]
  return Number(kibibytes ?? 0) * 1024
}

/** Processor time in seconds, user and system; Linux has 100 ticks per second. */
export function cpuSeconds(pid: number): number {
  const fields = statFields(readOrNull(`/proc/${pid}/stat`) ?? '')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** Children of a process whose command line contains `word`. */
export function childrenOf(parentPid: number, word: string): readonly number[] {
  return [...parentsOfAll()].flatMap(([pid, parent]) =>
    parent === parentPid && (readOrNull(`/proc/${pid}/cmdline`) ?? '').includes(word) ? [pid] : []
  )
}

/** Parent of every process, by pid. */
function parentsOfAll(): ReadonlyMap<number, number> {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? readOrNull(`/proc/${name}/stat`) : null
    if (stat !== null) parents.set(Number(name), Number(statFields(stat)[1]))
  }
  return parents
}

/**
 * The fields from the third on. The second, the command in parentheses, may contain any character: fields are counted
 * after the last parenthesis.
 */
function statFields(stat: string): readonly string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function descends(pid: number, rootPid: number, parents: ReadonlyMap<number, number>): boolean {
  for (let at: number | undefined = pid; at !== undefined && at > 0; at = parents.get(at)) {
    if (at === rootPid) return true
  }
  return false
}

/** null if the file does not exist: processes may end between two reads. */
function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
