import { z } from 'zod'
import { LIMITS } from '../../inference/contract/limits.ts'
import { nullDefault } from '../wire/fields/null-default.ts'
import { objectField } from '../wire/fields/object-field.ts'
import { requestFields } from '../wire/fields/request-fields.ts'
import { samplingFields } from '../wire/fields/sampling-fields.ts'
import { messagesField, toolChoiceField, toolsField } from './message-fields.ts'

/**
 * Body of POST /v1/chat/completions: OpenAI's `CreateChatCompletionRequest`, and extensions under the names that vLLM
 * gave them.
 */
export const ChatBody = z
  .looseObject({
    ...requestFields,
    ...samplingFields,
    messages: messagesField.describe('The conversation so far.'),
    max_completion_tokens: nullDefault(z.int().min(1), null).describe('Most tokens of each choice; without it, what the context holds.'),
    /** The older name of `max_completion_tokens`. */
    max_tokens: nullDefault(z.int().min(1), null).describe('The older name of `max_completion_tokens`.'),
    n: nullDefault(z.int().min(1).max(LIMITS.choicesPerPrompt), 1).describe('Choices.'),
    logprobs: nullDefault(z.boolean(), false).describe('Whether the log-probability of each token is told.'),
    top_logprobs: nullDefault(z.int().min(0).max(LIMITS.topLogprobs), null).describe(
      'How many alternatives are told with each token; needs `logprobs`.'
    ),
    response_format: nullDefault(z.object({ type: z.string().meta({ const: 'text' }) }), null).describe(
      'Only `{"type": "text"}` is answered.'
    ),
    tools: nullDefault(toolsField, []).describe('Functions that the model may call, if its template knows of tools.'),
    tool_choice: toolChoiceField,
    parallel_tool_calls: nullDefault(z.boolean(), true).describe('Whether several calls of one answer count, or the first only.'),
    add_generation_prompt: nullDefault(z.boolean(), true).describe(
      "Whether the conversation ends with the beginning of the assistant's message."
    ),
    chat_template_kwargs: nullDefault(objectField(), {}).describe('Handed to the chat template.')
  })
  .meta({ required: ['model', 'messages'] })
export type ChatBody = z.output<typeof ChatBody>
