import type { LoggedEvent } from './events.ts'
import type { GenerationRequest } from './request.ts'

/** Events of one step, over all requests that it moved: one delivery per step, in order within each request. */
export type StepEvents = readonly { readonly requestId: string; readonly event: LoggedEvent }[]

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

  /** Takes a request. Every request taken ends in exactly one terminal event, unless it is cancelled. */
  submit(request: GenerationRequest): void

  /** Frees the request's rows before the next step; no event of it follows. Unknown ids are ignored. */
  cancel(requestId: string): void

  /** Ends the current step, drops what is left, frees native memory. */
  close(): Promise<void>
}
