import { type Failure, ServiceError } from '../inference/contract/errors.ts'

/** How a queue ends a request that its worker does not end: the same codes and messages in every queue. */
export const FAILURES = {
  cancelled: { code: 'cancelled', message: 'the request was cancelled', param: null },
  unread: { code: 'cancelled', message: 'the request has had no reader for too long', param: null },
  overdue: { code: 'deadline_exceeded', message: 'the request did not end before its deadline', param: null },
  unfinished: { code: 'unavailable', message: 'the server shut down before the request ended', param: null },
  poisoned: {
    code: 'poisoned',
    message: 'every worker that computed this request crashed, the last one while it computed no other request',
    param: null
  }
} as const satisfies Record<string, Failure>

/** Why a draining queue admits no request. */
export const SHUTTING_DOWN = 'the server is shutting down'

export interface WaitingCounts {
  readonly requests: number
  readonly promptTokens: number
}

export interface WaitingLimits {
  readonly waitingLimit: number
  readonly waitingTokenLimit: number
}

/** @param waiting  without the request that is refused */
export function queueFull(waiting: WaitingCounts, { waitingLimit, waitingTokenLimit }: WaitingLimits): ServiceError {
  return new ServiceError(
    'queue_full',
    waiting.requests >= waitingLimit
      ? `${waiting.requests} requests are waiting, which is the limit (${waitingLimit})`
      : `${waiting.promptTokens} prompt tokens are waiting, and this request would exceed the limit of ${waitingTokenLimit}`
  )
}

/** For a request that does not exist (any more). */
export function requestNotFound(requestId: string): ServiceError {
  return new ServiceError('not_found', `there is no request ${requestId}, or it ended too long ago`)
}

export function idempotencyMismatch(): ServiceError {
  return new ServiceError('idempotency_mismatch', 'the idempotency key was used before with another body')
}
