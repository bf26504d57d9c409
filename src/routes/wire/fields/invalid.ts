import { ServiceError } from '../../../inference/contract/errors.ts'

/** A field at fault. */
export function invalid(param: string, message: string): ServiceError {
  return new ServiceError('invalid_request', message, { param })
}
