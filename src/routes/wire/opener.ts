import type { GenerationRequest } from '../../inference/contract/request.ts'
import type { Presentation } from './dialect.ts'

/** A body that its dialect has read and found good. */
export interface Opened {
  readonly generation: GenerationRequest
  readonly presentation: Presentation
  /** Names of fields that were ignored. */
  readonly ignored: readonly string[]
  /** The body asks for work that runs to its end, read or not. */
  readonly background: boolean
}

/**
 * Turns a body of one dialect, however it came, into a request.
 *
 * @throws {ServiceError} what the dialect refuses, and unknown fields in strict mode
 */
export type Opener = (body: object, context: { readonly owner: string; readonly admittedAtMs: number }) => Promise<Opened>
