import { z } from 'zod'
import { headFields, TimingsSchema, UsageSchema } from '../wire/schema.ts'

const TokenLogprob = { token: z.string(), logprob: z.number(), bytes: z.array(z.int().min(0).max(255)) }

const LogprobsSchema = z.strictObject({
  content: z.array(z.strictObject({ ...TokenLogprob, top_logprobs: z.array(z.strictObject(TokenLogprob)) })),
  refusal: z.null()
})

const toolCall = {
  id: z.string(),
  type: z.literal('function'),
  function: z.strictObject({ name: z.string(), arguments: z.string().describe('JSON.') })
}

const endFields = {
  index: z.int().min(0),
  logprobs: LogprobsSchema.nullable(),
  finish_reason: z.enum(['stop', 'length', 'tool_calls']).nullable(),
  stop_reason: z.union([z.string(), z.int()]).nullable().describe('The stop string or stop token that ended the choice.'),
  token_ids: z.array(z.int()).optional()
}

const commonFields = {
  ...headFields,
  usage: UsageSchema.nullable().optional(),
  timings: TimingsSchema.optional(),
  prompt_token_ids: z.array(z.int()).optional(),
  prompt_logprobs: z
    .array(z.unknown())
    .optional()
    .describe('With `prompt_logprobs`: of each token of the prompt, alternatives by token id.')
}

export const ChatCompletionSchema = z
  .strictObject({
    ...commonFields,
    object: z.literal('chat.completion'),
    choices: z.array(
      z.strictObject({
        ...endFields,
        message: z.strictObject({
          role: z.literal('assistant'),
          content: z.string().nullable(),
          refusal: z.null(),
          tool_calls: z.array(z.strictObject(toolCall)).optional()
        })
      })
    )
  })
  .meta({ id: 'ChatCompletion', description: 'The next message of a conversation.' })

export const ChatCompletionChunkSchema = z
  .strictObject({
    ...commonFields,
    object: z.literal('chat.completion.chunk'),
    choices: z.array(
      z.strictObject({
        ...endFields,
        delta: z.strictObject({
          role: z.literal('assistant').optional(),
          content: z.string().optional(),
          tool_calls: z.array(z.strictObject({ ...toolCall, index: z.int().min(0) })).optional()
        })
      })
    )
  })
  .meta({ id: 'ChatCompletionChunk', description: 'What a stream adds to a message.' })
