import { z } from 'zod'
import { LIMITS } from '../../inference/contract/limits.ts'
import { unknownParams } from '../wire/ignored-params.ts'
import { nullDefault } from '../wire/null-default.ts'
import { samplingFields } from '../wire/sampling-fields.ts'
import { stopField } from '../wire/stop-field.ts'
import { promptField } from './prompt-field.ts'

const streamOptions = { include_usage: nullDefault(z.boolean(), false) }

/** Body of POST /v1/completions: OpenAI's `CreateCompletionRequest`, and extensions under the names that vLLM gave them. */
export const CompletionBody = z.looseObject({
  ...samplingFields,
  model: nullDefault(z.string(), null),
  prompt: promptField,
  max_tokens: nullDefault(z.int().min(0), null),
  n: nullDefault(z.int().min(1).max(LIMITS.choicesPerPrompt), 1),
  best_of: nullDefault(z.int(), null),
  stop: stopField,
  stream: nullDefault(z.boolean(), false),
  background: nullDefault(z.boolean(), false),
  stream_options: nullDefault(z.looseObject(streamOptions), null),
  logprobs: nullDefault(z.int().min(0).max(LIMITS.topLogprobs), null),
  echo: nullDefault(z.boolean(), false),
  suffix: nullDefault(z.string(), null),
  user: nullDefault(z.string(), null),
  ignore_eos: nullDefault(z.boolean(), false),
  return_token_ids: nullDefault(z.boolean(), false),
  cache_salt: nullDefault(z.string().min(1).max(LIMITS.cacheSaltChars), null)
})
export type CompletionBody = z.output<typeof CompletionBody>

/** The fields that the server does not know and therefore ignores. */
export function ignoredFields(body: CompletionBody): readonly string[] {
  return [
    ...unknownParams(body, CompletionBody.shape),
    ...(body.stream_options === null ? [] : unknownParams(body.stream_options, streamOptions, 'stream_options.'))
  ]
}
