import { z } from 'zod'
import { messagesField, toolsField } from '../chat/message-fields.ts'
import { nullDefault } from '../wire/null-default.ts'

/** Body of POST /tokenize, vLLM's: a text, or a conversation. */
export const TokenizeBody = z.looseObject({
  model: nullDefault(z.string(), null),
  prompt: nullDefault(z.string(), null),
  messages: nullDefault(messagesField, null),
  tools: nullDefault(toolsField, []),
  tool_choice: z.unknown().optional(),
  add_generation_prompt: nullDefault(z.boolean(), true),
  chat_template_kwargs: nullDefault(z.record(z.string(), z.unknown()), {}),
  add_special_tokens: nullDefault(z.boolean(), true),
  return_token_strs: nullDefault(z.boolean(), false)
})
export type TokenizeBody = z.output<typeof TokenizeBody>

/** Body of POST /detokenize. */
export const DetokenizeBody = z.looseObject({
  model: nullDefault(z.string(), null),
  tokens: z.array(z.int().min(0))
})
