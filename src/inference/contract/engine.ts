import type { LoggedEvent } from './events.ts'
import type { GenerationRequest } from './request.ts'
import type { EngineStatistics } from './statistics.ts'

/** Events of one step, of all its requests: one delivery per step, in order within each request. */
export type StepEvents = readonly { readonly requestId: string; readonly event: LoggedEvent }[]

/** Signals of an engine. No listener throws or waits. */
export interface EngineListener {
  /** Once per step, with all its events. */
  readonly events: (events: StepEvents) => void
  /**
   * Before a run for other requests than the previous run, and with none before the engine waits, so that a crash is
   * attributed to the right requests.
   */
  readonly running: (requestIds: readonly string[]) => void
  /** After the first run that computed something of these requests since they were submitted here. */
  readonly advanced: (requestIds: readonly string[]) => void
  /** Choices of these requests continue in rows that a killed process left: nothing of them is computed again. */
  readonly adopted?: (requestIds: readonly string[]) => void
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

/** Requests in, events out; the one owner of all rows. */
export interface Engine {
  readonly description: EngineDescription

  /** Steps completed since the start: proof of progress. */
  readonly stepsDone: number

  /** Unix milliseconds at which the current native run began; null between runs. */
  readonly stepStartedAtMs: number | null

  readonly statistics: EngineStatistics

  /**
   * Accepts a request. Every accepted request ends in exactly one terminal event, unless it is cancelled.
   *
   * @param history  events that the request's log holds already, in order, without a terminal event; empty for a new
   *                 request. The engine continues after them and repeats none; with the same engine and request, log
   *                 and continuation are those of an undisturbed run.
   */
  submit(request: GenerationRequest, history?: readonly LoggedEvent[]): void

  /**
   * Moves the cache into this file, so that it outlives the process. Rows that an earlier process left there are
   * continued when their requests are submitted. To be called before the first request.
   *
   * @param descriptor  open in this process; from `createCacheFile`
   */
  useCacheFile?(descriptor: number): void

  /**
   * Makes the rows in the cache file of a killed process of the same kind available: requests submitted from now on
   * continue from copies of them, as far as that process's successor has not dropped them yet.
   *
   * @param descriptor  open in this process; not the one of `useCacheFile`
   */
  attachOrphanedCache?(descriptor: number): void

  /** Frees the request's rows before the next step; no event of it follows. Idempotent; unknown ids are ignored. */
  cancel(requestId: string): void

  /** Ends the current step, drops what is left, frees native memory. */
  close(): Promise<void>
}
