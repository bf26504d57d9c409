import { readdirSync, readFileSync } from 'node:fs'

/** Resident bytes of a process and all that descend from it; null when it is gone. Linux only. Shared pages count once for each process. */
export function residentBytes(rootPid: number): number | null {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = readOrNull(`/proc/${name}/stat`)
    // The command, in parentheses, may hold anything: fields are counted behind the last one. Field 4 is the parent.
    if (stat !== null) parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
  }
  if (!parents.has(rootPid)) return null

  const members = [...parents.keys()].filter(pid => descends(pid, rootPid, parents))
  return members.reduce((sum, pid) => sum + resident(pid), 0)
}

function descends(pid: number, rootPid: number, parents: ReadonlyMap<number, number>): boolean {
  for (let at: number | undefined = pid; at !== undefined && at > 0; at = parents.get(at)) {
    if (at === rootPid) return true
  }
  return false
}

function resident(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readOrNull(`/proc/${pid}/status`) ?? '')?.[1]
  return Number(kibibytes ?? 0) * 1024
}

/** Processes may end between two reads. */
function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
