import { z } from 'zod'
import { LIMITS } from '../../inference/contract/limits.ts'
import { nullDefault } from './null-default.ts'
import { stopField } from './stop-field.ts'
import { tokenIdsField } from './token-ids-field.ts'

const REQUEST_LABEL = new RegExp(`^[\\x21-\\x7e]{1,${LIMITS.requestLabelChars}}$`)

/** vLLM's order: lower is served first. */
const PRIORITY = 1000

/** The fields that all dialects share beside those of sampling: what ends a choice, and how the request is treated. Names that OpenAI lacks are vLLM's. */
export const requestFields = {
  model: nullDefault(z.string(), null),
  user: nullDefault(z.string(), null),
  stop: stopField,
  stop_token_ids: tokenIdsField('stop_token_ids', LIMITS.stopTokenIds),
  include_stop_str_in_output: nullDefault(z.boolean(), false),
  ignore_eos: nullDefault(z.boolean(), false),
  skip_special_tokens: nullDefault(z.boolean(), true),
  logprob_token_ids: tokenIdsField('logprob_token_ids', LIMITS.scoredTokenIds),
  prompt_logprobs: nullDefault(z.int().min(0).max(LIMITS.topLogprobs), null),
  return_token_ids: nullDefault(z.boolean(), false),
  return_tokens_as_token_ids: nullDefault(z.boolean(), false),
  cache_salt: nullDefault(z.string().min(1).max(LIMITS.cacheSaltChars), null),
  priority: nullDefault(z.int().min(-PRIORITY).max(PRIORITY), 0),
  /** A client's own name for the request: it is told again, and names nothing here. */
  request_id: nullDefault(
    z.string().regex(REQUEST_LABEL, `expected 1 to ${LIMITS.requestLabelChars} visible ASCII characters without spaces`),
    null
  ),
  timings: nullDefault(z.boolean(), false),
  background: nullDefault(z.boolean(), false),
  stream: nullDefault(z.boolean(), false)
}
