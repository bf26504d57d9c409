import { type Failure, ServiceError } from '../../../inference/contract/errors.ts'

/** `invalid_request` for one field or header. */
export function invalid(param: string, message: string): ServiceError {
  return new ServiceError('invalid_request', message, { param })
}

/** The error of a request that ended with `failure`. */
export function fromFailure({ code, message, param }: Failure): ServiceError {
  return new ServiceError(code, message, param === null ? {} : { param })
}

export function shuttingDown(): ServiceError {
  return new ServiceError('unavailable', 'The server is shutting down. Please try again.')
}

/** For `catch`: null for `not_found`; rethrows every other error. */
export function nullIfNotFound(error: unknown): null {
  if (error instanceof ServiceError && error.code === 'not_found') return null
  throw error
}
