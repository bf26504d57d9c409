import type { z } from 'zod'
import type { ErrorCode } from '../../inference/contract/errors.ts'

/** One operation of the API. */
export interface Operation {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** As the route declares it: `/v1/streams/:id`. */
  readonly url: string
  readonly tag: string
  readonly summary: string
  readonly body?: z.ZodType
  readonly query?: z.ZodObject
  /** Request headers with their descriptions. */
  readonly headers?: Readonly<Record<string, string>>
  /** Success responses by status. */
  readonly answers: Readonly<Record<number, Answer>>
  /** Errors of this operation in addition to those of every operation. */
  readonly errors?: readonly ErrorCode[]
}

export interface Answer {
  readonly description: string
  /** Schema of a JSON response. */
  readonly json?: z.ZodType
  /** Schema of each event of an event stream. */
  readonly events?: z.ZodType
  /** Content type of any other response. */
  readonly otherType?: string
}
