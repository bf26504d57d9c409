import { z } from 'zod'
import { LIMITS } from '../../inference/contract/limits.ts'
import { unknownParams } from '../wire/ignored-params.ts'
import { nullDefault } from '../wire/null-default.ts'
import { requestFields } from '../wire/request-fields.ts'
import { samplingFields } from '../wire/sampling-fields.ts'
import { messagesField, toolsField } from './message-fields.ts'

const streamOptions = { include_usage: nullDefault(z.boolean(), false) }

/** Body of POST /v1/chat/completions: OpenAI's `CreateChatCompletionRequest`, and extensions under the names that vLLM gave them. */
export const ChatBody = z.looseObject({
  ...samplingFields,
  model: requestFields.model,
  messages: messagesField,
  max_completion_tokens: nullDefault(z.int().min(1), null),
  /** The older name of `max_completion_tokens`. */
  max_tokens: nullDefault(z.int().min(1), null),
  n: nullDefault(z.int().min(1).max(LIMITS.choicesPerPrompt), 1),
  stop: requestFields.stop,
  stop_token_ids: requestFields.stop_token_ids,
  include_stop_str_in_output: requestFields.include_stop_str_in_output,
  ignore_eos: requestFields.ignore_eos,
  skip_special_tokens: requestFields.skip_special_tokens,
  stream: requestFields.stream,
  background: requestFields.background,
  stream_options: nullDefault(z.looseObject(streamOptions), null),
  logprobs: nullDefault(z.boolean(), false),
  top_logprobs: nullDefault(z.int().min(0).max(LIMITS.topLogprobs), null),
  response_format: nullDefault(z.looseObject({ type: z.string() }), null),
  tools: nullDefault(toolsField, []),
  tool_choice: z.unknown().optional(),
  parallel_tool_calls: nullDefault(z.boolean(), true),
  user: requestFields.user,
  priority: requestFields.priority,
  cache_salt: requestFields.cache_salt,
  return_token_ids: requestFields.return_token_ids,
  add_generation_prompt: nullDefault(z.boolean(), true),
  chat_template_kwargs: nullDefault(z.record(z.string(), z.unknown()), {})
})
export type ChatBody = z.output<typeof ChatBody>

/** The fields that the server does not know and therefore ignores. */
export function ignoredChatFields(body: ChatBody): readonly string[] {
  return [
    ...unknownParams(body, ChatBody.shape),
    ...(body.stream_options === null ? [] : unknownParams(body.stream_options, streamOptions, 'stream_options.'))
  ]
}
