import type { GenerationRequest } from '../../inference/contract/request.ts'
import type { TokenLog } from '../log/token-log.ts'
import type { DeathRecord } from '../poison-rule.ts'
import type { Lease } from './lease.ts'

/** The worker of a running request. */
export interface JobHolder {
  /** The request or the worker has ended: its rows are free. */
  release(job: Job): void
  /** Releases the request and cancels it on the worker. */
  cancel(job: Job): void
}

/** A request from its admission to its end. */
export interface Job {
  readonly request: GenerationRequest
  readonly log: TokenLog
  readonly lease: Lease
  /** Number of requests admitted before. */
  readonly arrival: number
  /** null while the request waits. */
  worker: JobHolder | null
  /** Of the worker that ran the request last. */
  workerIndex: number | null
  /** By a monotonic clock; null before the first start. */
  firstStartMs: number | null
  /** Its worker has died: the request waits before all that were never started. */
  isReturned: boolean
  deaths: DeathRecord
  /** The request must run alone. */
  isSuspect: boolean
}
