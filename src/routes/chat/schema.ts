import { z } from 'zod'
import { headFields } from '../wire/response/head.ts'
import { PromptLogprobsSchema } from '../wire/response/prompt-logprobs.ts'
import { TimingsSchema } from '../wire/response/timings.ts'
import { UsageSchema } from '../wire/response/usage.ts'
import type { Wire } from '../wire/response/wire-type.ts'

const tokenLogprob = {
  token: z.string().describe('The token.'),
  logprob: z.number().describe('Log-probability of the token.'),
  bytes: z.array(z.int().min(0).max(255)).describe('UTF-8 bytes of the token.')
}

const ChatLogprobSchema = z.strictObject({
  ...tokenLogprob,
  top_logprobs: z.array(z.strictObject(tokenLogprob)).describe('The most likely tokens at this position.')
})
export type ChatLogprob = Wire<typeof ChatLogprobSchema>

const LogprobsSchema = z.strictObject({
  content: z.array(ChatLogprobSchema).describe('Log-probabilities of the tokens.'),
  refusal: z.null()
})

const ToolCallSchema = z.strictObject({
  id: z.string().describe('Identifier of the call.'),
  type: z.literal('function'),
  function: z.strictObject({
    name: z.string().describe('Name of the function.'),
    arguments: z.string().describe('Arguments of the function, as JSON.')
  })
})

const ToolCallDeltaSchema = ToolCallSchema.extend({ index: z.int().min(0).describe('Index of the call in the message.') })
export type ToolCallDelta = Wire<typeof ToolCallDeltaSchema>

const endFields = {
  index: z.int().min(0).describe('Index of the choice.'),
  logprobs: LogprobsSchema.nullable().describe('With `logprobs`: log-probabilities of the tokens.'),
  finish_reason: z
    .enum(['stop', 'length', 'tool_calls'])
    .nullable()
    .describe(
      '`stop`: a stop string, stop token or end-of-sequence token; `length`: the maximum length; `tool_calls`: the message calls tools; null while the choice is generated.'
    ),
  stop_reason: z.union([z.string(), z.int()]).nullable().describe('The stop string or stop token that ended the choice, else null.'),
  token_ids: z.array(z.int()).optional().describe('With `return_token_ids`: ids of the generated tokens.')
}

const commonFields = {
  ...headFields,
  usage: UsageSchema.nullable().optional(),
  timings: TimingsSchema.optional(),
  prompt_token_ids: z.array(z.int()).optional().describe('With `return_token_ids`: ids of the prompt tokens.'),
  prompt_logprobs: PromptLogprobsSchema
}

export const ChatCompletionSchema = z
  .strictObject({
    ...commonFields,
    object: z.literal('chat.completion'),
    choices: z
      .array(
        z.strictObject({
          ...endFields,
          message: z.strictObject({
            role: z.literal('assistant'),
            content: z.string().nullable().describe('The text of the message; null if it consists of tool calls only.'),
            refusal: z.null(),
            tool_calls: z.array(ToolCallSchema).optional().describe('The tool calls of the message.')
          })
        })
      )
      .describe('The choices.')
  })
  .meta({ id: 'ChatCompletion', description: 'A chat completion.' })

const ChunkChoiceSchema = z.strictObject({
  ...endFields,
  delta: z.strictObject({
    role: z.literal('assistant').optional().describe('In the first chunk of a choice.'),
    content: z.string().optional().describe('The next part of the text.'),
    tool_calls: z.array(ToolCallDeltaSchema).optional().describe('Tool calls. Each is complete.')
  })
})
export type ChatChunkChoice = Wire<typeof ChunkChoiceSchema>

export const ChatCompletionChunkSchema = z
  .strictObject({
    ...commonFields,
    object: z.literal('chat.completion.chunk'),
    choices: z.array(ChunkChoiceSchema).describe('The choices that the chunk continues.')
  })
  .meta({ id: 'ChatCompletionChunk', description: 'A chunk of a streamed chat completion.' })
export type ChatCompletionChunk = Wire<typeof ChatCompletionChunkSchema>
