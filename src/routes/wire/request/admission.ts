import type { z } from 'zod'
import { PLAIN_DELIVERY } from '../../../inference/contract/delivery-policy.ts'
import { ServiceError } from '../../../inference/contract/errors.ts'
import { type GenerationRequest, PLAIN_REQUEST } from '../../../inference/contract/request.ts'
import { isGreedy, type SamplingParams } from '../../../inference/contract/sampling.ts'
import type { TextPort } from '../../../inference/contract/text-port.ts'
import { assertServed, type ModelCard } from '../../models/model-card.ts'
import { invalid } from '../errors/service-errors.ts'
import type { requestFields } from '../fields/request-fields.ts'
import { assertInVocabulary } from './admit-sampling.ts'

/** What turning a body into a request needs besides the body. */
export interface Admission {
  readonly text: TextPort
  readonly card: ModelCard
  readonly newSeed: () => number
  /** Id of this request. */
  readonly id: string
  readonly admittedAtMs: number
  /** Separates the cached prefixes of one caller from those of another. */
  readonly callerSalt: string
  /** Writes a warning to the server's log. It must not contain text of the client. */
  readonly warn: (message: string) => void
  /** Aborts when the caller disconnects: text work that has not begun is dropped. */
  readonly signal?: AbortSignal
}

/** The fields that the bodies of all APIs share. */
export type RequestBody = { readonly [Field in keyof typeof requestFields]: z.output<(typeof requestFields)[Field]> }

/**
 * The checks of the shared fields that need no tokenizer.
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

/** The shared fields in the internal form of a request. */
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

/** With greedy sampling all choices are equal: one is computed and shown as all. */
export function toChoices(shown: number, candidates: number, sampling: SamplingParams) {
  if (isGreedy(sampling)) return { choicesPerPrompt: 1, shownPerPrompt: shown, standsFor: candidates }
  return { choicesPerPrompt: candidates, shownPerPrompt: shown, standsFor: 1 }
}
