import { z } from 'zod'
import { LIMITS } from '../../inference/contract/limits.ts'
import { messagesField, toolChoiceField, toolsField } from '../chat/message-fields.ts'
import { listField } from '../wire/fields/list-field.ts'
import { nullDefault } from '../wire/fields/null-default.ts'
import { objectField } from '../wire/fields/object-field.ts'

const modelField = nullDefault(z.string(), null).describe("The model's name, as /v1/models lists it. Without it, the model of this server.")

/** Body of POST /tokenize, vLLM's: a text, or a conversation. */
export const TokenizeBody = z.looseObject({
  model: modelField,
  prompt: nullDefault(z.string(), null).describe('A text. Either it or `messages`.'),
  messages: nullDefault(messagesField, null).describe('A conversation. Either it or `prompt`.'),
  tools: nullDefault(toolsField, []).describe('As for chat completions.'),
  tool_choice: toolChoiceField,
  add_generation_prompt: nullDefault(z.boolean(), true).describe(
    "Whether the conversation ends with the beginning of the assistant's message."
  ),
  chat_template_kwargs: nullDefault(objectField(), {}).describe('Handed to the chat template.'),
  add_special_tokens: nullDefault(z.boolean(), true).describe('Whether special tokens are added where the model wants them.'),
  return_token_strs: nullDefault(z.boolean(), false).describe('Whether the texts of the single tokens are told, too.')
})
export type TokenizeBody = z.output<typeof TokenizeBody>

/** Body of POST /detokenize. */
export const DetokenizeBody = z.looseObject({
  model: modelField,
  tokens: listField(z.int().min(0), { maximum: LIMITS.tokenIdsPerList }).describe('Token ids.')
})
