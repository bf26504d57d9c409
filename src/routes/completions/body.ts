import { z } from 'zod'
import { LIMITS } from '../../inference/contract/limits.ts'
import { unknownParams } from '../wire/ignored-params.ts'
import { nullDefault } from '../wire/null-default.ts'
import { requestFields } from '../wire/request-fields.ts'
import { samplingFields } from '../wire/sampling-fields.ts'
import { promptField } from './prompt-field.ts'

/** OpenAI's, where a body says nothing of `max_tokens`. */
export const DEFAULT_MAX_TOKENS = 16

const streamOptions = {
  include_usage: nullDefault(z.boolean(), false),
  continuous_usage_stats: nullDefault(z.boolean(), false)
}

/** Body of POST /v1/completions: OpenAI's `CreateCompletionRequest`, and extensions under the names that vLLM gave them. */
export const CompletionBody = z.looseObject({
  ...requestFields,
  ...samplingFields,
  prompt: promptField,
  /** An empty one is none. */
  suffix: nullDefault(z.string(), null).transform(suffix => (suffix === '' ? null : suffix)),
  max_tokens: nullDefault(z.int().min(0), null),
  n: nullDefault(z.int().min(1).max(LIMITS.choicesPerPrompt), 1),
  best_of: nullDefault(z.int().min(1).max(LIMITS.choicesPerPrompt), null),
  stream_options: nullDefault(z.looseObject(streamOptions), null),
  logprobs: nullDefault(z.int().min(0).max(LIMITS.topLogprobs), null),
  echo: nullDefault(z.boolean(), false),
  truncate_prompt_tokens: nullDefault(z.int().min(-1), null),
  add_special_tokens: nullDefault(z.boolean(), true)
})
export type CompletionBody = z.output<typeof CompletionBody>

/** The fields that the server does not know and therefore ignores. */
export function ignoredFields(body: CompletionBody): readonly string[] {
  return [
    ...unknownParams(body, CompletionBody.shape),
    ...(body.stream_options === null ? [] : unknownParams(body.stream_options, streamOptions, 'stream_options.'))
  ]
}
