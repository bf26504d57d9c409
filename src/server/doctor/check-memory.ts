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

/** What this process may use, and what the caches may take of it. */
export function checkMemory(
  { memoryBytes, cacheMemoryBytes, workers, maxSlots, maxContext }: MemoryPlan,
  model: Pick<PreparedModel, 'contextLength' | 'cacheBytesPerToken'> | null
): readonly Finding[] {
  const allowed = `${showBytes(memoryBytes)} may be used, ${showBytes(cacheMemoryBytes)} of it by caches`
  const memory =
    cacheMemoryBytes <= memoryBytes
      ? ok('memory', allowed)
      : problem(
          'memory',
          `caches may take ${showBytes(cacheMemoryBytes)}, and there is ${showBytes(memoryBytes)}`,
          'a smaller --cache-memory'
        )
  if (model === null) return [memory]

  const context = Math.min(model.contextLength, maxContext ?? model.contextLength)
  const rowBytes = context * model.cacheBytesPerToken
  const budget = cacheMemoryBytes / workers
  const each = `${maxSlots} texts of ${context} tokens take ${showBytes(maxSlots * rowBytes)} of cache in a worker`
  if (budget < rowBytes) {
    const cut = `one text of ${context} tokens takes ${showBytes(rowBytes)} of cache, and a worker has ${showBytes(budget)}`
    return [memory, problem('cache', cut, `--max-context ${Math.floor(budget / model.cacheBytesPerToken)}, or a larger --cache-memory`)]
  }
  if (budget >= maxSlots * rowBytes) return [memory, ok('cache', `${each}: they fit`)]
  const fit = `${each}, it has ${showBytes(budget)}: ${Math.floor(budget / rowBytes)} of full length fit at once, shorter ones more, and others wait`
  return [memory, info('cache', fit)]
}
