import { cpus } from 'node:os'
import { processorFlags } from '../../inference/model/calibration/processor.ts'
import { type Finding, info, ok } from './finding.ts'

/** Reports the cores, and whether the processor has the instructions that make int8 weights fast. */
export async function checkProcessor(cores: number, cpuInfoFile?: string): Promise<Finding> {
  const processor = `${cores} ${cores === 1 ? 'core' : 'cores'}, ${cpus()[0]?.model.trim() || 'unknown model'}`
  const flags = await processorFlags(cpuInfoFile)
  if (flags === null) return info('processor', `${processor}; AVX512-VNNI cannot be detected on this system`)
  if (flags.includes('avx512_vnni')) return ok('processor', `${processor}, with AVX512-VNNI: int8 weights are fast`)
  // Figures: docs/performance.md, "Without AVX512-VNNI".
  if (flags.includes('avx2') && !flags.includes('avx_vnni')) {
    return info('processor', `${processor}, with AVX2 only: --quantization none is faster with about 16 or more streams, int8 with fewer`)
  }
  const other = flags.includes('avx_vnni') ? 'AVX-VNNI only' : 'neither AVX512-VNNI nor AVX2'
  return info('processor', `${processor}, with ${other}: supported, but its performance has not been measured`)
}
