import { invalid } from '../errors/service-errors.ts'

export interface LengthRequest {
  /** Number of tokens that the body requests; null if it requests none. */
  readonly requested: number | null
  /** Applies if nothing was requested; reduced to what fits the context. */
  readonly fallback: number
  readonly minTokens: number
  /** Of the longest prompt. */
  readonly promptTokens: number
  readonly contextLength: number
}

/**
 * The length of each choice. A requested length must fit the context after the longest prompt.
 *
 * @param overflow  creates the API's `context_overflow` error
 * @throws {ServiceError} the error of `overflow`; `invalid_request` if `min_tokens` can never be reached
 */
export function maxNewTokens(length: LengthRequest, overflow: () => Error): number {
  const { requested, fallback, minTokens, promptTokens, contextLength } = length
  const available = contextLength - promptTokens
  if (requested === null ? available <= 0 : requested > available) throw overflow()
  const maxTokens = requested ?? Math.min(fallback, available)
  assertMinTokens(minTokens, maxTokens)
  return maxTokens
}

/** @throws {ServiceError} `invalid_request` */
export function assertMinTokens(minTokens: number, maxTokens: number): void {
  if (minTokens <= maxTokens) return
  throw invalid('min_tokens', `Invalid 'min_tokens': above 'max_tokens'. Expected a value <= ${maxTokens}, but got ${minTokens} instead.`)
}
