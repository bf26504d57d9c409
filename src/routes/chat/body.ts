import { z } from 'zod'
import { LIMITS } from '../../inference/contract/limits.ts'
import { nullDefault } from '../wire/fields/null-default.ts'
import { objectField } from '../wire/fields/object-field.ts'
import { requestFields } from '../wire/fields/request-fields.ts'
import { samplingFields } from '../wire/fields/sampling-fields.ts'
import { messagesField, toolChoiceField, toolsField } from './message-fields.ts'

/** Body of POST /v1/chat/completions: OpenAI's `CreateChatCompletionRequest`, with extensions under vLLM's names. */
export const ChatBody = z
  .looseObject({
    ...requestFields,
    ...samplingFields,
    messages: messagesField.describe('The messages of the conversation so far.'),
    max_completion_tokens: nullDefault(z.int().min(1), null).describe(
      'Maximum number of tokens of each choice. Default: what fits the context.'
    ),
    max_tokens: nullDefault(z.int().min(1), null).describe('Deprecated in favor of `max_completion_tokens`.'),
    n: nullDefault(z.int().min(1).max(LIMITS.choicesPerPrompt), 1).describe('Number of choices.'),
    logprobs: nullDefault(z.boolean(), false).describe('Whether the log-probability of each token is returned.'),
    top_logprobs: nullDefault(z.int().min(0).max(LIMITS.topLogprobs), null).describe(
      'Number of most likely tokens whose log-probabilities are returned for each token; needs `logprobs`.'
    ),
    response_format: nullDefault(z.object({ type: z.string().meta({ const: 'text' }) }), null).describe(
      'Format of the response. Only `{"type": "text"}` is supported.'
    ),
    tools: nullDefault(toolsField, []).describe('Functions that the model may call. Needs a model whose chat template supports tools.'),
    tool_choice: toolChoiceField,
    parallel_tool_calls: nullDefault(z.boolean(), true).describe(
      'Whether a message may contain several tool calls. If false, calls after the first are dropped.'
    ),
    add_generation_prompt: nullDefault(z.boolean(), true).describe('Whether the prompt ends with the start of an assistant message.'),
    chat_template_kwargs: nullDefault(objectField(), {}).describe('Additional variables for the chat template.')
  })
  .meta({ required: ['model', 'messages'] })
export type ChatBody = z.output<typeof ChatBody>
