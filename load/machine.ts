import { readFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'

export interface BenchMachine {
  /** With family and model where the system tells them: virtual machines shorten the name. */
  readonly cpu: string
  readonly cores: number
  /** Instruction sets that decide which kernels run, by Linux's names; null where they cannot be determined. */
  readonly instructions: readonly string[] | null
  /** Over the last minute. Above 0 before the start: other processes use the machine. */
  readonly loadAverage: number
}

const INSTRUCTIONS = ['avx2', 'f16c', 'avx_vnni', 'avx512f', 'avx512_vnni', 'avx512_bf16', 'amx_int8', 'asimddp', 'i8mm', 'sve']

export function thisMachine(): BenchMachine {
  const info = cpuInfo()
  const field = (name: string): string | null => new RegExp(`^${name}\\s*:\\s*(.*)$`, 'm').exec(info)?.[1] ?? null
  const [family, model] = [field('cpu family'), field('model')]
  const flags = (field('flags') ?? field('Features'))?.split(' ')
  return {
    cpu: (cpus()[0]?.model ?? 'unknown') + (family === null || model === null ? '' : ` (family ${family}, model ${model})`),
    cores: cpus().length,
    instructions: flags === undefined ? null : INSTRUCTIONS.filter(name => flags.includes(name)),
    loadAverage: loadavg()[0] ?? 0
  }
}

/** One line for people. */
export function describeMachine({ cpu, cores, instructions, loadAverage }: BenchMachine): string {
  const sets = instructions === null ? '' : `, ${instructions.join(' ')}`
  return `${cpu}, ${cores} cores${sets}, load average ${loadAverage.toFixed(2)}`
}

/** Empty where there is none. */
function cpuInfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8')
  } catch {
    return ''
  }
}
