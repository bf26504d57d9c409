import type { LoggedEvent } from './events.ts'
import type { GenerationRequest } from './request.ts'
import type { EngineStatistics } from './statistics.ts'

/** Events of one step, of all its requests: one delivery per step, in order within each request. */
export type StepEvents = readonly { readonly requestId: string; readonly event: LoggedEvent }[]

/** The progress of an engine at one moment. */
export interface EngineProgress {
  /** Native runs completed since the start. */
  readonly stepsDone: number
  /** Unix milliseconds at which the current native run began; null between runs. */
  readonly stepStartedAtMs: number | null
  /** Requests that have not ended. While this is not 0, `stepsDone` must grow. */
  readonly activeRequests: number
  readonly statistics: EngineStatistics
}

/**
 * Everything that a worker reports. The hops between engine and queue forward signals as they are; only the ends switch
 * on `kind`. Plain data: crosses IPC.
 */
export type EngineSignal =
  /** Once per step, with all its events. */
  | { readonly kind: 'events'; readonly events: StepEvents }
  /**
   * The requests of the next run, if they are not those of the previous run; none before the engine waits. A crash is
   * attributed to the requests of the latest signal.
   */
  | { readonly kind: 'running'; readonly requestIds: readonly string[] }
  /** After the first run that computed something of these requests since they were submitted to this engine. */
  | { readonly kind: 'advanced'; readonly requestIds: readonly string[] }
  /** Choices of these requests continue in rows of a killed process: no position of them is computed again. */
  | { readonly kind: 'adopted'; readonly requestIds: readonly string[] }
  /** At regular intervals. Emitted by the process around the engine. */
  | { readonly kind: 'heartbeat'; readonly progress: EngineProgress }

/** One hop on the way of the signals. */
export interface EngineListener {
  /** Signals arrive in the order of the calls. Neither throws nor waits. */
  emit(signal: EngineSignal): void
}

/** The loaded model and the engine’s limits. Plain data: crosses IPC. */
export interface EngineDescription {
  /** Identifies weights and quantization: two workers with the same hash generate the same tokens. */
  readonly modelHash: string
  readonly architecture: string
  readonly parameters: number
  readonly vocabularySize: number
  /** Tokens, prompt and continuation together. */
  readonly contextLength: number
  /** Rows of the batch. */
  readonly slots: number
  /** Bytes of cache for one token position of one row. */
  readonly cacheBytesPerToken: number
  /** Bytes that reservations may fill. */
  readonly cacheBudgetBytes: number
}

/** Accepts requests and emits their events. The one owner of all rows of the batch. */
export interface Engine {
  readonly description: EngineDescription

  /** Steps completed since the start. */
  readonly stepsDone: number

  /** Unix milliseconds at which the current native run began; null between runs. */
  readonly stepStartedAtMs: number | null

  readonly statistics: EngineStatistics

  /**
   * Accepts a request. Every accepted request ends in exactly one terminal event, unless it is cancelled.
   *
   * @param history  events that the request's log already contains, in order, without a terminal event; empty for a
   *                 new request. The engine continues after them and repeats none; with the same engine and request,
   *                 log and continuation are those of an undisturbed run.
   */
  submit(request: GenerationRequest, history?: readonly LoggedEvent[]): void

  /**
   * Moves the cache into this file, so that it outlives the process. Rows that an earlier process left there are
   * continued when their requests are submitted. Must be called before the first request.
   *
   * @param descriptor  open in this process; from `createCacheFile`
   */
  useCacheFile?(descriptor: number): void

  /**
   * Makes the rows in the cache file of a killed process of the same kind available: requests submitted from now on
   * continue from copies of them, unless that process's successor has dropped them.
   *
   * @param descriptor  open in this process; not the one of `useCacheFile`
   */
  attachOrphanedCache?(descriptor: number): void

  /** Frees the request's rows before the next step; no event of it follows. Idempotent; unknown ids are ignored. */
  cancel(requestId: string): void

  /** Ends the current step, drops all requests, frees native memory. */
  close(): Promise<void>
}
