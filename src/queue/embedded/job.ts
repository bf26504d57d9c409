import type { GenerationRequest } from '../../inference/contract/request.ts'
import type { TokenLog } from '../log/token-log.ts'
import type { DeathRecord } from '../poison-rule.ts'
import type { Lease } from './lease.ts'

/** What a running request may ask of where it runs. */
export interface JobHolder {
  /** It does not run here any more: it has ended, or the worker has. */
  release(job: Job): void
  cancel(job: Job): void
}

/** A request from its admission to its end. */
export interface Job {
  readonly request: GenerationRequest
  readonly log: TokenLog
  readonly lease: Lease
  /** Counts requests as they come. */
  readonly arrival: number
  /** Where it runs; null while it waits. */
  worker: JobHolder | null
  /** Of the worker that ran it last. */
  workerIndex: number | null
  /** By a clock that never jumps; null before its first start. */
  firstStartMs: number | null
  /** A worker that ran it has died: it waits before all that were never started. */
  isReturned: boolean
  deaths: DeathRecord
  /** To be run alone. */
  isSuspect: boolean
}
