import { z } from 'zod'
import { LIMITS } from '../../../inference/contract/limits.ts'
import { nullDefault } from './null-default.ts'
import { stopField } from './stop-field.ts'
import { streamOptionsField } from './stream-options.ts'
import { tokenIdsField } from './token-ids-field.ts'

const REQUEST_LABEL = new RegExp(`^[\\x21-\\x7e]{1,${LIMITS.requestLabelChars}}$`)

/** vLLM's order: lower is served first. */
const PRIORITY = 1000

/** null where it is missing, which OpenAI refuses in words of its own (`assertRequest`). */
const modelField = z
  .string()
  .nullish()
  .transform(name => name ?? null)
  // Overwrites what `nullish` would say: null is not taken.
  .meta({ type: 'string', anyOf: undefined, description: "The model's name, as /v1/models lists it." })

/**
 * The fields that all dialects share beside those of sampling: what ends a choice, and how the request is treated.
 * Names that OpenAI lacks are vLLM's.
 */
export const requestFields = {
  model: modelField,
  user: nullDefault(z.string(), null).describe('A name of the end user. It is taken and not used.'),
  stop: stopField,
  stop_token_ids: tokenIdsField('stop_token_ids', LIMITS.stopTokenIds).describe('Token ids that end a choice.'),
  include_stop_str_in_output: nullDefault(z.boolean(), false).describe(
    'Whether the stop string or stop token that ended a choice is part of its text.'
  ),
  ignore_eos: nullDefault(z.boolean(), false).describe('Whether to go on behind the end token of the model.'),
  skip_special_tokens: nullDefault(z.boolean(), true).describe('Whether special tokens are left out of the text.'),
  logprob_token_ids: tokenIdsField('logprob_token_ids', LIMITS.scoredTokenIds).describe(
    'Token ids whose log-probabilities are told with each token, likely or not.'
  ),
  prompt_logprobs: nullDefault(z.int().min(0).max(LIMITS.topLogprobs), null).describe(
    'How many alternatives are told of each token of the prompt.'
  ),
  return_token_ids: nullDefault(z.boolean(), false).describe("Whether the answer carries the ids of its tokens, and of the prompt's."),
  return_tokens_as_token_ids: nullDefault(z.boolean(), false).describe('Whether log-probabilities name tokens `token_id:17`.'),
  cache_salt: nullDefault(z.string().min(1).max(LIMITS.cacheSaltChars), null).describe(
    'Requests share cached prefixes only with those of the same salt.'
  ),
  priority: nullDefault(z.int().min(-PRIORITY).max(PRIORITY), 0).describe('Lower is served first.'),
  /** A client's own name for the request: it is told again, and names nothing here. */
  request_id: nullDefault(
    z.string().regex(REQUEST_LABEL, `expected 1 to ${LIMITS.requestLabelChars} visible ASCII characters without spaces`),
    null
  ).describe("The client's own name for the request, told again in `x-client-request-id`."),
  timings: nullDefault(z.boolean(), false).describe('Whether the answer tells where the time went.'),
  background: nullDefault(z.boolean(), false).describe(
    'Whether the request runs to its end, read or not. Without `stream` the answer is 202 with its id.'
  ),
  stream: nullDefault(z.boolean(), false).describe('Whether the answer comes as server-sent events, as it is generated.'),
  stream_options: streamOptionsField
}
