import type { ErrorCode } from '../../../inference/contract/errors.ts'

interface WireRow {
  readonly http: number
  /** `error.type` of the OpenAI envelope. */
  readonly openaiType: string
  /** `error.code` of the OpenAI envelope; null where OpenAI has none. */
  readonly openaiCode: string | null
  /** Value of the header `x-should-retry`, which OpenAI's clients follow: whether a retry may succeed. */
  readonly retry: boolean
  /** Seconds for the header `Retry-After`; null to leave it out. */
  readonly retryAfterSeconds: number | null
}

/**
 * HTTP status and OpenAI error object of each error code. Rows follow OpenAI's error pages where OpenAI has the case.
 */
export const ERROR_TABLE = {
  invalid_request: row(400, 'invalid_request_error', null),
  body_too_large: row(413, 'invalid_request_error', 'body_too_large'),
  invalid_api_key: row(401, 'invalid_request_error', 'invalid_api_key'),
  forbidden: row(403, 'invalid_request_error', 'forbidden'),
  not_found: row(404, 'invalid_request_error', 'not_found'),
  model_not_found: row(404, 'invalid_request_error', 'model_not_found'),
  context_overflow: row(400, 'invalid_request_error', 'context_length_exceeded'),
  idempotency_mismatch: row(422, 'invalid_request_error', 'idempotency_key_reused'),
  queue_full: row(503, 'service_unavailable_error', 'server_is_overloaded', { afterSeconds: 1 }),
  unavailable: row(503, 'service_unavailable_error', 'service_unavailable', { afterSeconds: 2 }),
  cancelled: row(499, 'invalid_request_error', 'request_cancelled'),
  deadline_exceeded: row(504, 'timeout_error', 'deadline_exceeded'),
  stream_lost: row(503, 'service_unavailable_error', 'stream_lost', { afterSeconds: 2 }),
  poisoned: row(500, 'server_error', 'request_poisoned'),
  engine_failure: row(500, 'server_error', 'engine_failure', { afterSeconds: null })
} as const satisfies Record<ErrorCode, WireRow>

function row(http: number, openaiType: string, openaiCode: string | null, retry?: { readonly afterSeconds: number | null }): WireRow {
  return { http, openaiType, openaiCode, retry: retry !== undefined, retryAfterSeconds: retry?.afterSeconds ?? null }
}
