import type { z } from 'zod'
import { PLAIN_DELIVERY } from '../../../inference/contract/delivery-policy.ts'
import { ServiceError } from '../../../inference/contract/errors.ts'
import { type GenerationRequest, PLAIN_REQUEST } from '../../../inference/contract/request.ts'
import { isGreedy, type SamplingParams } from '../../../inference/contract/sampling.ts'
import type { TextPort } from '../../../inference/contract/text-port.ts'
import { assertServed, type ModelCard } from '../../models/model-card.ts'
import { invalid } from '../fields/invalid.ts'
import type { requestFields } from '../fields/request-fields.ts'
import { assertInVocabulary } from './admit-sampling.ts'

/** What a body becomes a request with. */
export interface Admission {
  readonly text: TextPort
  readonly card: ModelCard
  readonly newSeed: () => number
  /** Of this request. */
  readonly id: string
  readonly admittedAtMs: number
  /** Separates the prefixes of one caller from those of another. */
  readonly callerSalt: string
  /**
   * Writes a line to the server's log: of what was understood in another way than it was meant, without the client's
   * words.
   */
  readonly warn: (message: string) => void
  /** Text work that has not begun is dropped when the caller goes. */
  readonly signal?: AbortSignal
}

/** A body of any dialect, as far as all of them agree. */
export type RequestBody = { readonly [Field in keyof typeof requestFields]: z.output<(typeof requestFields)[Field]> }

/**
 * What all dialects refuse without any work.
 *
 * @throws {ServiceError} `invalid_request`, `model_not_found`
 */
export function assertRequest(body: RequestBody, { card, text }: Pick<Admission, 'card' | 'text'>): void {
  const { model, stream, stream_options, prompt_logprobs } = body
  if (model === null) throw new ServiceError('invalid_request', 'you must provide a model parameter')
  assertServed(card, model)
  if (stream_options !== null && !stream) {
    throw invalid('stream_options', `Stream options can only be defined when 'stream' is true, but got 'stream' false.`)
  }
  if (prompt_logprobs !== null && stream) {
    throw invalid(
      'prompt_logprobs',
      `Invalid 'prompt_logprobs': not available when 'stream' is true. Expected null, but got ${prompt_logprobs}.`
    )
  }
  assertInVocabulary('stop_token_ids', body.stop_token_ids, text.vocabularySize)
  assertInVocabulary('logprob_token_ids', body.logprob_token_ids, text.vocabularySize)
}

/** What all dialects say alike, in house words. */
export function toInternalFields(
  body: RequestBody,
  { id, callerSalt, admittedAtMs }: Pick<Admission, 'id' | 'callerSalt' | 'admittedAtMs'>
) {
  return {
    ...PLAIN_REQUEST,
    id,
    stopStrings: body.stop,
    stopTokenIds: body.stop_token_ids ?? [],
    includeStop: body.include_stop_str_in_output,
    ignoreEos: body.ignore_eos,
    skipSpecialTokens: body.skip_special_tokens,
    scoredTokenIds: body.logprob_token_ids ?? [],
    cacheSalt: body.cache_salt === null ? callerSalt : `${callerSalt}:${body.cache_salt}`,
    admittedAtMs,
    delivery: { ...PLAIN_DELIVERY, owner: callerSalt, priority: body.priority }
  } satisfies Partial<GenerationRequest>
}

/** Where nothing is left to chance, one choice is computed and stands for all. */
export function toChoices(shown: number, candidates: number, sampling: SamplingParams) {
  if (isGreedy(sampling)) return { choicesPerPrompt: 1, shownPerPrompt: shown, standsFor: candidates }
  return { choicesPerPrompt: candidates, shownPerPrompt: shown, standsFor: 1 }
}
