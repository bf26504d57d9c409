import type { GenerationRequest } from '../../inference/contract/request.ts'
import type { TokenLog } from '../log/token-log.ts'
import type { Lease } from './lease.ts'
import type { Seat } from './seat.ts'

/** A request from its admission to its end. */
export interface Job {
  readonly request: GenerationRequest
  readonly log: TokenLog
  readonly lease: Lease
  /** Counts requests as they come. */
  readonly arrival: number
  /** Where it runs; null while it waits. */
  seat: Seat | null
  /** Of the worker that ran it last. */
  place: number | null
  /** By a clock that never jumps; null before its first start. */
  firstStartMs: number | null
  /** A worker that ran it has died: it waits before all that were never started. */
  isReturned: boolean
  /** Deaths that count against it. */
  countedDeaths: number
  /** To be run alone. */
  isSuspect: boolean
}
