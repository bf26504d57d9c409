/**
 * All codes with which a request can fail. A new code is a change of contract: the compiler then requires a row for it
 * in the table of each transport (HTTP, SSE, WebSocket).
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

/** An error as plain data, for IPC and clients. No stack, no cause, no prompt text. */
export interface Failure {
  readonly code: ErrorCode
  readonly message: string
  /** The body field that caused it, in the client's spelling; null where no single field did. */
  readonly param: string | null
}

/** The only error that clients may see. A bug in this program throws `InvariantError` instead. */
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
