import type { LoggedEvent } from './events.ts'
import type { GenerationRequest } from './request.ts'
import type { EngineStatistics } from './statistics.ts'

/** Events of one step, over all requests that it moved: one delivery per step, in order within each request. */
export type StepEvents = readonly { readonly requestId: string; readonly event: LoggedEvent }[]

/** What an engine tells whoever runs it. None of these throws or waits. */
export interface EngineListener {
  /** Once per run with all that it brought. */
  readonly events: (events: StepEvents) => void
  /** Before a run for other requests than the run before it, and with none before a rest: a process that dies tells by this whom it died of. */
  readonly running: (requestIds: readonly string[]) => void
  /** After the first run that computed something of these requests since they were submitted here. */
  readonly advanced: (requestIds: readonly string[]) => void
  /** Choices of these requests decode on in the cache that an earlier process left: nothing of them is computed again. */
  readonly adopted?: (requestIds: readonly string[]) => void
}

/** What the rest of the house may know of a loaded model. Plain data: crosses IPC. */
export interface EngineDescription {
  /** Identifies weights and quantization: two workers with the same hash answer alike. */
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

/** The engine as a worker sees it: requests in, events out, one owner of all rows. */
export interface Engine {
  readonly description: EngineDescription

  /** Steps completed since the start; a worker proves progress with it. */
  readonly stepsDone: number

  /** Unix milliseconds at which the current native run began; null between runs. */
  readonly stepStartedAtMs: number | null

  readonly statistics: EngineStatistics

  /**
   * Takes a request. Every request taken ends in exactly one terminal event, unless it is cancelled.
   *
   * @param history  what the request's log holds already, in order, without a terminal event: nothing for a new one. The engine goes
   *                 on behind it and says nothing of it again; with the same engine and request, log and continuation are those of an undisturbed run.
   */
  submit(request: GenerationRequest, history?: readonly LoggedEvent[]): void

  /**
   * To be called before the first request, by those whose cache can outlive them: from now on it lies in this file, and what an earlier process of
   * the same kind, which has ended, was working on there is gone on with as soon as it is submitted.
   *
   * @param descriptor  open in this process; from `createCacheFile`
   */
  inherit?(descriptor: number): void

  /**
   * What a process of the same kind, which was killed, was working on lies in this file until its successor drops it: those of its requests that
   * are submitted here from now on are gone on with, as far as they are still there.
   *
   * @param descriptor  open in this process; another one than that of `inherit`
   */
  salvage?(descriptor: number): void

  /** Frees the request's rows before the next step; no event of it follows. Unknown ids are ignored. */
  cancel(requestId: string): void

  /** Ends the current step, drops what is left, frees native memory. */
  close(): Promise<void>
}
