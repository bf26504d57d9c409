import { readdirSync } from 'node:fs'
import { ownResidentBytes } from '../../load/process-tree.ts'

/** Fewer samples of memory are not judged: a server that has just started still grows. */
const MIN_SAMPLES = 8
/** Quotient of two samples that garbage collection alone can cause. */
const MEMORY_TOLERANCE = 1.25
/** Descriptors of idle connections of readers, and of Redis, that may be added. */
const DESCRIPTOR_TOLERANCE = 32

export interface ResourceReport {
  readonly openFiles: { readonly before: readonly (number | null)[]; readonly after: readonly (number | null)[] }
  /** Largest resident memory of any process: the maximum in the second quarter of the run, and in the last. */
  readonly mebibytes: { readonly early: number; readonly late: number } | null
  /** Whether neither descriptors nor memory have grown. */
  readonly flat: boolean
}

/** Open descriptors and memory of the server processes during the run. */
export class HeldResources {
  readonly #pids: () => readonly number[]
  readonly #filesBefore: readonly (number | null)[]
  readonly #mebibytes: number[] = []

  constructor(pids: () => readonly number[]) {
    this.#pids = pids
    this.#filesBefore = pids().map(openFiles)
  }

  /** Samples the memory. To be called at regular intervals. */
  sample(): void {
    this.#mebibytes.push(Math.max(...this.#pids().map(ownResidentBytes)) / 2 ** 20)
  }

  report(): ResourceReport {
    const after = this.#pids().map(openFiles)
    const filesAreFlat = after.every((files, index) => (files ?? 0) <= (this.#filesBefore[index] ?? 0) + DESCRIPTOR_TOLERANCE)
    const quarter = Math.floor(this.#mebibytes.length / 4)
    if (this.#mebibytes.length < MIN_SAMPLES) {
      return { openFiles: { before: this.#filesBefore, after }, mebibytes: null, flat: filesAreFlat }
    }
    const early = Math.round(Math.max(...this.#mebibytes.slice(quarter, 2 * quarter)))
    const late = Math.round(Math.max(...this.#mebibytes.slice(-quarter)))
    return {
      openFiles: { before: this.#filesBefore, after },
      mebibytes: { early, late },
      flat: filesAreFlat && late <= early * MEMORY_TOLERANCE
    }
  }
}

/** Linux only; null elsewhere, and for a process that has ended. */
function openFiles(pid: number): number | null {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return null
  }
}
