import { z } from 'zod'
import { LIMITS } from '../../inference/contract/limits.ts'
import { messagesField, toolChoiceField, toolsField } from '../chat/message-fields.ts'
import { listField } from '../wire/fields/list-field.ts'
import { nullDefault } from '../wire/fields/null-default.ts'
import { objectField } from '../wire/fields/object-field.ts'

const modelField = nullDefault(z.string(), null).describe('Name of the model, as listed by /v1/models. Default: the model of this server.')

/** Body of vLLM's POST /tokenize: a text or a conversation. */
export const TokenizeBody = z.looseObject({
  model: modelField,
  prompt: nullDefault(z.string(), null).describe('The text to tokenize. Either `prompt` or `messages` is required.'),
  messages: nullDefault(messagesField, null).describe('The conversation to tokenize. Either `prompt` or `messages` is required.'),
  tools: nullDefault(toolsField, []).describe('Functions that the model may call, as in chat completions.'),
  tool_choice: toolChoiceField,
  add_generation_prompt: nullDefault(z.boolean(), true).describe('Whether the prompt ends with the start of an assistant message.'),
  chat_template_kwargs: nullDefault(objectField(), {}).describe('Additional variables for the chat template.'),
  add_special_tokens: nullDefault(z.boolean(), true).describe(
    'Whether special tokens, such as a start token, are added if the model uses them.'
  ),
  return_token_strs: nullDefault(z.boolean(), false).describe('Whether the text of each token is returned.')
})
export type TokenizeBody = z.output<typeof TokenizeBody>

/** Body of POST /detokenize. */
export const DetokenizeBody = z.looseObject({
  model: modelField,
  tokens: listField(z.int().min(0), { maximum: LIMITS.tokenIdsPerList }).describe('The token ids to convert to text.')
})
