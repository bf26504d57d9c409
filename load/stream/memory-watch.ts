import { median } from '../median.ts'
import { residentBytes } from '../process-tree.ts'

const SAMPLE_MS = 5_000
/** A minute's median that exceeds the second minute's by at most this share, or this many bytes, counts as flat. */
const FLAT_SHARE = 0.03
const FLAT_BYTES = 16 * 1_048_576

export interface MemoryReport {
  /** Median of the process tree's resident mebibytes, minute by minute. */
  readonly mebibytesByMinute: readonly number[]
  readonly peakMebibytes: number
  /**
   * Every minute after the second is at most as large as the second, within the tolerance; null if the run was shorter
   * than three minutes.
   */
  readonly flatAfterFirstMinute: boolean | null
}

/** Samples the memory of a server's process tree while the load runs. */
export class MemoryWatch {
  readonly #pid: number
  readonly #startedAtMs = performance.now()
  readonly #minutes: number[][] = []
  readonly #timer: NodeJS.Timeout

  constructor(pid: number) {
    this.#pid = pid
    this.#sample()
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS)
    this.#timer.unref()
  }

  stop(): MemoryReport {
    clearInterval(this.#timer)
    return memoryReport(this.#minutes)
  }

  #sample(): void {
    const bytes = residentBytes(this.#pid)
    if (bytes === null) return
    const minute = Math.floor((performance.now() - this.#startedAtMs) / 60_000)
    this.#minutes[minute] = [...(this.#minutes[minute] ?? []), bytes]
  }
}

/** @param minutes samples in bytes, minute by minute */
export function memoryReport(minutes: readonly (readonly number[])[]): MemoryReport {
  const medians = minutes.filter(samples => samples.length > 0).map(median)
  const [, second, ...later] = medians
  const flat =
    second === undefined || later.length === 0 ? null : later.every(bytes => bytes - second <= Math.max(FLAT_BYTES, second * FLAT_SHARE))
  return {
    mebibytesByMinute: medians.map(toMebibytes),
    peakMebibytes: toMebibytes(Math.max(0, ...minutes.flat())),
    flatAfterFirstMinute: flat
  }
}

function toMebibytes(bytes: number): number {
  return Math.round(bytes / 104_857.6) / 10
}
