import { readdirSync } from 'node:fs'
import { ownResidentBytes } from '../../load/process-tree.ts'

/** Notes of memory below which nothing is said of it: a server that has just begun still grows. */
const FEWEST_NOTES = 8
/** What the garbage collector may leave lying about at one time and not at another. */
const SWAY = 1.25
/** Of readers whose connections are kept, and of Redis. */
const SWAY_FILES = 32

export interface ResourceReport {
  readonly openFiles: { readonly before: readonly (number | null)[]; readonly after: readonly (number | null)[] }
  /** Resident, of the process that has most: the most in the second quarter of the run, and in the last. */
  readonly mebibytes: { readonly early: number; readonly late: number } | null
  /** Neither has grown with the faults. */
  readonly flat: boolean
}

/** What the server processes hold while faults come. */
export class HeldResources {
  readonly #pids: () => readonly number[]
  readonly #filesBefore: readonly (number | null)[]
  readonly #mebibytes: number[] = []

  constructor(pids: () => readonly number[]) {
    this.#pids = pids
    this.#filesBefore = pids().map(openFiles)
  }

  /** To be called at equal distances. */
  remark(): void {
    this.#mebibytes.push(Math.max(...this.#pids().map(ownResidentBytes)) / 2 ** 20)
  }

  report(): ResourceReport {
    const after = this.#pids().map(openFiles)
    const filesAreFlat = after.every((files, index) => (files ?? 0) <= (this.#filesBefore[index] ?? 0) + SWAY_FILES)
    const quarter = Math.floor(this.#mebibytes.length / 4)
    if (this.#mebibytes.length < FEWEST_NOTES) {
      return { openFiles: { before: this.#filesBefore, after }, mebibytes: null, flat: filesAreFlat }
    }
    const early = Math.round(Math.max(...this.#mebibytes.slice(quarter, 2 * quarter)))
    const late = Math.round(Math.max(...this.#mebibytes.slice(-quarter)))
    return { openFiles: { before: this.#filesBefore, after }, mebibytes: { early, late }, flat: filesAreFlat && late <= early * SWAY }
  }
}

/** Linux only; null elsewhere, and of a process that is gone. */
function openFiles(pid: number): number | null {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return null
  }
}
