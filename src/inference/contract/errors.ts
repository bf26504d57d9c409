/**
 * Every way a request can end badly. A new code is a change of contract:
 * the compiler then asks each wire (HTTP, SSE, WebSocket) for its row.
 */
export const ERROR_CODES = [
  'invalid_request',
  'body_too_large',
  'invalid_api_key',
  'forbidden',
  'not_found',
  'model_not_found',
  'context_overflow',
  'idempotency_mismatch',
  'queue_full',
  'unavailable',
  'cancelled',
  'deadline_exceeded',
  'stream_lost',
  'poisoned',
  'engine_failure'
] as const
export type ErrorCode = (typeof ERROR_CODES)[number]

/** An error as data: what crosses processes and the wire. No stack, no cause, no prompt text. */
export interface Failure {
  readonly code: ErrorCode
  readonly message: string
  /** The body field at fault, in the client's spelling; null where no single field is. */
  readonly param: string | null
}

/** The one error a client may see. A bug in our own code throws `InvariantError` instead. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError'
  readonly code: ErrorCode
  readonly param: string | null

  constructor(code: ErrorCode, message: string, options: { readonly param?: string; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.param = options.param ?? null
  }

  toFailure(): Failure {
    return { code: this.code, message: this.message, param: this.param }
  }
}
