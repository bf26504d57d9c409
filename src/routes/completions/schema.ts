import { z } from 'zod'
import { headFields, TimingsSchema, UsageSchema } from '../wire/schema.ts'

const LogprobsSchema = z.strictObject({
  tokens: z.array(z.string()),
  token_logprobs: z.array(z.number().nullable()).describe('null for the first token of an echoed prompt.'),
  top_logprobs: z.array(z.record(z.string(), z.number()).nullable()),
  text_offset: z.array(z.int().min(0)).describe('Unicode code points from the start of the prompt.')
})

const ChoiceSchema = z.strictObject({
  text: z.string(),
  index: z.int().min(0),
  logprobs: LogprobsSchema.nullable(),
  finish_reason: z.enum(['stop', 'length']).nullable(),
  stop_reason: z.union([z.string(), z.int()]).nullable().describe('The stop string or stop token that ended the choice.'),
  token_ids: z.array(z.int()).optional().describe('With `return_token_ids`: generated tokens.'),
  prompt_token_ids: z.array(z.int()).optional(),
  prompt_logprobs: z
    .array(z.unknown())
    .optional()
    .describe('With `prompt_logprobs`: of each token of the prompt, alternatives by token id.')
})

/** A whole response, or one chunk of a stream: the two share their shape. */
export const CompletionSchema = z
  .strictObject({
    ...headFields,
    object: z.literal('text_completion'),
    choices: z.array(ChoiceSchema),
    usage: UsageSchema.nullable().optional(),
    timings: TimingsSchema.optional()
  })
  .meta({ id: 'Completion', description: 'A completion, or a chunk of one.' })
