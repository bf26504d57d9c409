import { readFile } from 'node:fs/promises'

/** The file in which Linux lists the features of the processor. */
const CPU_INFO = '/proc/cpuinfo'

/** The processor's instruction sets by Linux's names, such as `avx512_vnni`; null on systems that do not list them. */
export async function processorFlags(cpuInfoFile: string = CPU_INFO): Promise<readonly string[] | null> {
  const cpuInfo = await readFile(cpuInfoFile, 'utf8').catch(() => null)
  const flags = /^(?:flags|Features)\s*:(.*)$/m.exec(cpuInfo ?? '')?.[1]
  return flags?.trim().split(/\s+/) ?? null
}

/**
 * Whether products of unsigned activations and signed weights are added without saturation. Without these instructions
 * the kernel adds pairs of them in 16 bits, and unsigned weights have to be used, which is slower where they are not
 * needed. Source: ONNX Runtime, core/mlas/lib/platform.cpp, the choice of `GemmU8S8Dispatch`.
 */
export function multipliesSigned(flags: readonly string[] | null): boolean {
  return flags?.some(flag => ['avx512_vnni', 'avx_vnni', 'amx_int8'].includes(flag)) ?? false
}
