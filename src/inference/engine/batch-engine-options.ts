import type { EngineDescription, EngineListener } from '../contract/engine.ts'
import type { ModelRunner, OrphanedCache } from '../contract/model-runner.ts'
import type { TokenText } from '../contract/token-text.ts'
import type { SchedulerLimits } from '../scheduler/plan-step.ts'
import type { Recovery } from './request/sequence.ts'

export interface PersistentCache {
  /** Identifies model, shape and kernels: rows that were computed under another identity are not reused. */
  readonly identity: string
  /** See `MovableRunner.moveCacheTo`. */
  readonly moveTo: (descriptor: number) => boolean
  /** See `MovableRunner.orphanedCacheIn`. */
  readonly orphanedCacheIn: (descriptor: number) => OrphanedCache
}

export interface BatchEngineOptions extends SchedulerLimits {
  readonly runner: ModelRunner
  readonly text: TokenText
  readonly description: EngineDescription
  readonly reusePrefixes: boolean
  /** null where the cache ends with this process. */
  readonly persistentCache: PersistentCache | null
  readonly recovery: Recovery
  /** Unix milliseconds. */
  readonly now: () => number
  readonly listener: EngineListener
  /** Called when a bug ended the loop: the process should exit. */
  readonly onCrash: (error: unknown) => void
}
