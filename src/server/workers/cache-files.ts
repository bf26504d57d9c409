import { createCacheFile } from '../../inference/runtime/memory/cache-file.ts'
import type { EngineOptions } from './worker-engine.ts'

/**
 * One file for each worker index; none where the engine has no cache or the system has no such files: the requests of a
 * dead worker are then computed again.
 */
export function cacheFilesFor(engine: EngineOptions, workers: number): readonly number[] {
  if (engine.engine === 'simulated') return []
  const files = Array.from({ length: workers }, createCacheFile)
  return files.filter(file => file !== null)
}
