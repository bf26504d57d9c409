import { invalid } from '../fields/invalid.ts'

/** What a body says of the length of its answers, and what there is room for. */
export interface TokenRequest {
  /** null: nothing was said. */
  readonly requested: number | null
  /** Where nothing was said, so many, or fewer where the context ends. */
  readonly fallback: number
  readonly minTokens: number
  /** Of the longest prompt. */
  readonly promptTokens: number
  readonly contextLength: number
}

/**
 * What the client asked for must fit behind the longest prompt.
 *
 * @param overflow  `context_overflow` in the words of its API
 * @throws {ServiceError} what `overflow` says; `invalid_request` when `min_tokens` can never be reached
 */
export function maxNewTokens(length: TokenRequest, overflow: () => Error): number {
  const { requested, fallback, minTokens, promptTokens, contextLength } = length
  const room = contextLength - promptTokens
  if (requested === null ? room <= 0 : requested > room) throw overflow()
  const most = requested ?? Math.min(fallback, room)
  assertMinTokens(minTokens, most)
  return most
}

/** @throws {ServiceError} `invalid_request` */
export function assertMinTokens(minTokens: number, most: number): void {
  if (minTokens <= most) return
  throw invalid('min_tokens', `Invalid 'min_tokens': above 'max_tokens'. Expected a value <= ${most}, but got ${minTokens} instead.`)
}
