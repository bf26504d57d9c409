import { z } from 'zod'
import { headFields } from '../wire/response/head.ts'
import { PromptLogprobsSchema } from '../wire/response/prompt-logprobs.ts'
import { TimingsSchema } from '../wire/response/timings.ts'
import { UsageSchema } from '../wire/response/usage.ts'
import type { Wire } from '../wire/response/wire-type.ts'

/** Four arrays of equal length. */
const LogprobsSchema = z.strictObject({
  tokens: z.array(z.string()).describe('The tokens.'),
  token_logprobs: z
    .array(z.number().nullable())
    .describe('Log-probability of each token; null for the first token of an echoed prompt, which nothing precedes.'),
  top_logprobs: z
    .array(z.record(z.string(), z.number()).nullable())
    .describe('Log-probabilities of the most likely tokens and of the token itself, by text; null where `token_logprobs` is null.'),
  text_offset: z
    .array(z.int().min(0))
    .describe('Offset of each token in Unicode code points, from the start of the prompt, with and without `echo`.')
})
export type CompletionLogprobs = Wire<typeof LogprobsSchema>

export const ChoiceSchema = z.strictObject({
  text: z.string().describe('The generated text, after the prompt with `echo`. In a stream, the next part of it.'),
  index: z.int().min(0).describe('Index of the choice.'),
  logprobs: LogprobsSchema.nullable().describe('With `logprobs`: log-probabilities of the tokens.'),
  finish_reason: z
    .enum(['stop', 'length'])
    .nullable()
    .describe(
      '`stop`: a stop string, stop token or end-of-sequence token; `length`: the maximum length; null while the choice is generated.'
    ),
  stop_reason: z.union([z.string(), z.int()]).nullable().describe('The stop string or stop token that ended the choice, else null.'),
  token_ids: z.array(z.int()).optional().describe('With `return_token_ids`: ids of the generated tokens.'),
  prompt_token_ids: z
    .array(z.int())
    .optional()
    .describe('With `return_token_ids`: ids of the prompt tokens. In a stream, once per choice.'),
  prompt_logprobs: PromptLogprobsSchema
})
export type CompletionChoice = Wire<typeof ChoiceSchema>

/** A whole response or a chunk of a stream: both have the same shape. */
export const CompletionSchema = z
  .strictObject({
    ...headFields,
    object: z.literal('text_completion'),
    choices: z.array(ChoiceSchema).describe('The choices; in a chunk, those that it continues.'),
    usage: UsageSchema.nullable().optional(),
    timings: TimingsSchema.optional()
  })
  .meta({ id: 'Completion', description: 'A completion, or a chunk of a streamed completion.' })
export type Completion = Wire<typeof CompletionSchema>
