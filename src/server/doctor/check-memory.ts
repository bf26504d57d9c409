import type { PreparedModel } from '../../inference/model/prepared-model.ts'
import { showBytes } from '../config/value-schemas.ts'
import { type Finding, info, ok, problem } from './finding.ts'

export interface MemoryPlan {
  readonly memoryBytes: number
  readonly cacheMemoryBytes: number
  readonly workers: number
  readonly maxSlots: number
  readonly maxContext: number | null
}

/** Compares the memory of the caches with what this process may use and with the model's needs. */
export function checkMemory(
  { memoryBytes, cacheMemoryBytes, workers, maxSlots, maxContext }: MemoryPlan,
  model: Pick<PreparedModel, 'contextLength' | 'cacheBytesPerToken'> | null
): readonly Finding[] {
  const allowed = `${showBytes(memoryBytes)} available, up to ${showBytes(cacheMemoryBytes)} of it for caches`
  const memory =
    cacheMemoryBytes <= memoryBytes
      ? ok('memory', allowed)
      : problem(
          'memory',
          `caches may use ${showBytes(cacheMemoryBytes)}, and only ${showBytes(memoryBytes)} is available`,
          'a smaller --cache-memory'
        )
  if (model === null) return [memory]

  const context = Math.min(model.contextLength, maxContext ?? model.contextLength)
  const rowBytes = context * model.cacheBytesPerToken
  const budget = cacheMemoryBytes / workers
  const each = `${maxSlots} sequences of ${context} tokens need ${showBytes(maxSlots * rowBytes)} of cache per worker`
  if (budget < rowBytes) {
    const cut = `one sequence of ${context} tokens needs ${showBytes(rowBytes)} of cache, and a worker has ${showBytes(budget)}`
    return [memory, problem('cache', cut, `--max-context ${Math.floor(budget / model.cacheBytesPerToken)}, or a larger --cache-memory`)]
  }
  if (budget >= maxSlots * rowBytes) return [memory, ok('cache', `${each}, which fit`)]
  const fit = `${each}, and it has ${showBytes(budget)}: ${Math.floor(budget / rowBytes)} of full length run at once (more if shorter), the others wait`
  return [memory, info('cache', fit)]
}
