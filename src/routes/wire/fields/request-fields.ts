import { z } from 'zod'
import { LIMITS } from '../../../inference/contract/limits.ts'
import { nullDefault } from './null-default.ts'
import { stopField } from './string-list-fields.ts'
import { tokenIdsField } from './token-ids-field.ts'

const REQUEST_LABEL = new RegExp(`^[\\x21-\\x7e]{1,${LIMITS.requestLabelChars}}$`)

/** vLLM's order: lower values are served first. */
const PRIORITY = 1000

/** null if it is missing; `assertRequest` refuses that with OpenAI's message. */
const modelField = z
  .string()
  .nullish()
  .transform(name => name ?? null)
  // Overrides the JSON Schema of `nullish`: null is refused.
  .meta({ type: 'string', anyOf: undefined, description: 'Name of the model, as listed by /v1/models.' })

/** OpenAI's `stream_options`, and vLLM's `continuous_usage_stats`. */
export const streamOptions = {
  include_usage: nullDefault(z.boolean(), false).describe('Whether the last chunk contains the usage of the request.'),
  continuous_usage_stats: nullDefault(z.boolean(), false).describe('Whether every chunk contains the usage so far; needs `include_usage`.')
}

/**
 * The fields that all APIs share, except sampling: what ends a choice, and how the request is handled. Names that
 * OpenAI does not have are vLLM's.
 */
export const requestFields = {
  model: modelField,
  user: nullDefault(z.string(), null).describe('Identifier of the end user. Accepted for compatibility; ignored.'),
  stop: stopField,
  stop_token_ids: tokenIdsField(LIMITS.stopTokenIds).describe('Token ids that end a choice.'),
  include_stop_str_in_output: nullDefault(z.boolean(), false).describe(
    'Whether the text includes the stop string or stop token that ended the choice.'
  ),
  ignore_eos: nullDefault(z.boolean(), false).describe('Whether generation continues after the end-of-sequence token.'),
  skip_special_tokens: nullDefault(z.boolean(), true).describe('Whether special tokens are omitted from the text.'),
  logprob_token_ids: tokenIdsField(LIMITS.scoredTokenIds).describe(
    'Token ids whose log-probabilities are returned with each token, in addition to the most likely ones.'
  ),
  prompt_logprobs: nullDefault(z.int().min(0).max(LIMITS.topLogprobs), null).describe(
    'Number of alternatives whose log-probabilities are returned for each prompt token. Not available with `stream`.'
  ),
  return_token_ids: nullDefault(z.boolean(), false).describe('Whether the ids of the prompt tokens and the generated tokens are returned.'),
  return_tokens_as_token_ids: nullDefault(z.boolean(), false).describe('Whether log-probabilities name tokens as `token_id:17`.'),
  cache_salt: nullDefault(z.string().min(1).max(LIMITS.cacheSaltChars), null).describe(
    'Requests share the prefix cache only with requests of the same salt.'
  ),
  priority: nullDefault(z.int().min(-PRIORITY).max(PRIORITY), 0).describe('Priority of the request. Lower values are served first.'),
  /** Only returned to the client: it identifies nothing on the server. */
  request_id: nullDefault(
    z.string().regex(REQUEST_LABEL, `expected 1 to ${LIMITS.requestLabelChars} visible ASCII characters without spaces`),
    null
  ).describe("The client's own id of the request, returned in the header `x-client-request-id`."),
  timings: nullDefault(z.boolean(), false).describe('Whether the durations of the phases of the request are returned.'),
  background: nullDefault(z.boolean(), false).describe(
    'Whether the request runs to its end without a connected client. Without `stream` the response is 202 with the id of its stream.'
  ),
  stream: nullDefault(z.boolean(), false).describe('Whether tokens are sent as server-sent events as they are generated.'),
  stream_options: nullDefault(z.looseObject(streamOptions), null).describe('Options of a streamed response. Only allowed with `stream`.')
}
