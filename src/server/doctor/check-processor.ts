import { readFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { type Finding, info, ok } from './finding.ts'

/** Where Linux says what a processor can. */
const CPU_INFO = '/proc/cpuinfo'

/** Cores, and the instructions that make 8-bit weights fast. */
export async function checkProcessor(cores: number, cpuInfoFile: string = CPU_INFO): Promise<Finding> {
  const what = `${cores} ${cores === 1 ? 'core' : 'cores'} of ${cpus()[0]?.model.trim() || 'an unnamed processor'}`
  const cpuInfo = await readFile(cpuInfoFile, 'utf8').catch(() => null)
  const flags = /^(?:flags|Features)\s*:(.*)$/m
    .exec(cpuInfo ?? '')?.[1]
    ?.trim()
    .split(/\s+/)
  if (flags === undefined) return info('processor', `${what}; this system does not say whether it has AVX512-VNNI`)
  if (flags.includes('avx512_vnni')) return ok('processor', `${what}, with AVX512-VNNI: 8-bit weights are fast`)
  // Figures: docs/performance.md, "Without AVX512-VNNI".
  if (flags.includes('avx2') && !flags.includes('avx_vnni')) {
    return info('processor', `${what}, with AVX2 only: --quantization none is faster from about 16 streams on, 8 bits below`)
  }
  const other = flags.includes('avx_vnni') ? 'AVX-VNNI only' : 'neither AVX512-VNNI nor AVX2'
  return info('processor', `${what}, with ${other}: everything works, but its speed was never measured`)
}
