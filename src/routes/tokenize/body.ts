import { z } from 'zod'
import { LIMITS } from '../../inference/contract/limits.ts'
import { messagesField, toolsField } from '../chat/message-fields.ts'
import { describe } from '../wire/issue-message.ts'
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

/** Ids, which may repeat. A plain loop that stops at the first that is none: zod looks at all items, and keeps an issue for each. */
const tokensField = z
  .unknown()
  .transform((value, context): readonly number[] => {
    const fault = (message: string, path: number[], input: unknown): never => {
      context.addIssue({ code: 'custom', message, path, input })
      return z.NEVER
    }
    if (!Array.isArray(value)) {
      return fault(`Invalid type for 'tokens': expected an array of token ids, but got ${describe(value)} instead.`, [], value)
    }
    const bound = LIMITS.detokenizedIds
    if (value.length > bound) {
      return fault(`Invalid 'tokens': array too long. Expected maximum length ${bound}, but got ${describe(value)} instead.`, [], value)
    }
    const ids: number[] = []
    for (const id of value) {
      if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0) {
        return fault(`Invalid 'tokens[${ids.length}]': expected a token id, but got ${describe(id)} instead.`, [ids.length], id)
      }
      ids.push(id)
    }
    return ids
  })
  .meta({
    description: 'Token ids.',
    type: 'array',
    items: { type: 'integer', minimum: 0 },
    maxItems: LIMITS.detokenizedIds
  })

/** Body of POST /detokenize. */
export const DetokenizeBody = z.looseObject({
  model: requestFields.model,
  tokens: tokensField
})
