import type { EngineDescription, EngineListener } from '../contract/engine.ts'
import type { ModelRunner, Remains } from '../contract/model-runner.ts'
import type { TokenText } from '../contract/token-text.ts'
import type { Recovery } from './sequence.ts'

export interface LastingCache {
  /** Names all that the bits of a row depend on (model, shape, kernels): rows that were left under another name are of no use. */
  readonly identity: string
  /** See `MovableRunner.moveCacheTo`. */
  readonly moveTo: (descriptor: number) => boolean
  /** See `MovableRunner.remainsIn`. */
  readonly remainsIn: (descriptor: number) => Remains
}

export interface BatchEngineOptions {
  readonly runner: ModelRunner
  readonly text: TokenText
  readonly description: EngineDescription
  /** Most tokens of one prefill chunk: what running streams wait for at most. */
  readonly chunkTokens: number
  /** The same while none runs. */
  readonly loneChunkTokens: number
  /** 2 where a lone row is in another numeric class than a row in a batch (DESIGN section 4): a dummy row joins it. */
  readonly minDecodeRows: 1 | 2
  readonly reusePrefixes: boolean
  /** null: the cache dies with this process. */
  readonly lastingCache: LastingCache | null
  readonly recovery: Recovery
  /** Unix milliseconds. */
  readonly now: () => number
  readonly listener: EngineListener
  /** A bug of ours ended the loop; the process should end too. */
  readonly onCrash: (error: unknown) => void
}
