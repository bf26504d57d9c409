import type { z } from 'zod'
import type { ErrorCode } from '../../inference/contract/errors.ts'

/** One thing that the server can be asked for. */
export interface Operation {
  /** As the route is declared: `/v1/streams/:id`. */
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly url: string
  readonly tag: string
  readonly summary: string
  readonly body?: z.ZodType
  readonly query?: z.ZodObject
  /** Request headers that mean something, with what they do. */
  readonly headers?: Readonly<Record<string, string>>
  /** Good answers by status. */
  readonly answers: Readonly<Record<number, Answer>>
  /** Errors of this operation beside those that any may end in. */
  readonly errors?: readonly ErrorCode[]
}

export interface Answer {
  readonly description: string
  /** Of a JSON answer. */
  readonly json?: z.ZodType
  /** Of each event of a stream of them. */
  readonly events?: z.ZodType
  /** The type of an answer that is neither. */
  readonly otherType?: string
}
