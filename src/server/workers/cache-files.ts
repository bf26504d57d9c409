import { createCacheFile } from '../../inference/runtime/memory/cache-file.ts'
import type { EngineOptions } from './worker-engine.ts'

/**
 * One for each seat; none where the engine has no cache, or the system no such files: what a dead worker ran is then
 * computed again.
 */
export function cacheFilesFor(engine: EngineOptions, workers: number): readonly number[] {
  if (engine.engine === 'simulated') return []
  const files = Array.from({ length: workers }, createCacheFile)
  return files.filter(file => file !== null)
}
