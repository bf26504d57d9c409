import type { OrtApi } from './ort-api.ts'
import type { Address } from './paged-memory.ts'

/** What differs between the kinds of hardware that ONNX Runtime drives. */
export interface Provider {
  readonly name: 'cpu'
  /**
   * Adds its kernels to those of a session that is about to be made; the CPU's are always there, as the last resort.
   */
  append(api: OrtApi, sessionOptions: Address): void
  /** Where the memory lies that tensors are made on. The caller releases it. */
  createMemoryInfo(api: OrtApi): Address
}

const ARENA_ALLOCATOR = 1
const DEFAULT_MEMORY = 0

export const cpuProvider: Provider = {
  name: 'cpu',
  append: () => {},
  createMemoryInfo: api => api.create('CreateCpuMemoryInfo', ARENA_ALLOCATOR, DEFAULT_MEMORY)
}
