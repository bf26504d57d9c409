import { z } from 'zod'
import { messagesField, toolsField } from '../chat/message-fields.ts'
import { nullDefault } from '../wire/null-default.ts'
import { requestFields } from '../wire/request-fields.ts'

/** Body of POST /tokenize, vLLM's: a text, or a conversation. */
export const TokenizeBody = z.looseObject({
  model: requestFields.model,
  prompt: nullDefault(z.string(), null).describe('A text. Either it or `messages`.'),
  messages: nullDefault(messagesField, null).describe('A conversation. Either it or `prompt`.'),
  tools: nullDefault(toolsField, []).describe('As for chat completions.'),
  tool_choice: z.unknown().optional().describe('As for chat completions.'),
  add_generation_prompt: nullDefault(z.boolean(), true).describe(
    "Whether the conversation ends with the beginning of the assistant's message."
  ),
  chat_template_kwargs: nullDefault(z.record(z.string(), z.unknown()), {}).describe('Handed to the chat template.'),
  add_special_tokens: nullDefault(z.boolean(), true).describe('Whether special tokens are added where the model wants them.'),
  return_token_strs: nullDefault(z.boolean(), false).describe('Whether the texts of the single tokens are told, too.')
})
export type TokenizeBody = z.output<typeof TokenizeBody>

/** Body of POST /detokenize. */
export const DetokenizeBody = z.looseObject({
  model: requestFields.model,
  tokens: z.array(z.int().min(0)).describe('Token ids.')
})
