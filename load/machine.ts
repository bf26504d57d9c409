import { readFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'

export interface BenchMachine {
  readonly cpu: string
  readonly cores: number
  /** Selects the kernels of 8-bit weights; null where it cannot be determined. */
  readonly avx512Vnni: boolean | null
  /** Over the last minute. Above 0 before the start: other processes use the machine. */
  readonly loadAverage: number
}

export function thisMachine(): BenchMachine {
  return { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, avx512Vnni: hasVnni(), loadAverage: loadavg()[0] ?? 0 }
}

function hasVnni(): boolean | null {
  try {
    return /^flags\s*:.*\bavx512_vnni\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'))
  } catch {
    return null
  }
}
