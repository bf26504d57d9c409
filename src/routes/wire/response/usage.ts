import { z } from 'zod'
import type { Usage } from '../../../inference/contract/events.ts'

const count = z.int().min(0)

/** OpenAI's `usage`. */
export const UsageSchema = z
  .strictObject({
    prompt_tokens: count.describe('Number of tokens in the prompts.'),
    completion_tokens: count.describe('Number of generated tokens.'),
    total_tokens: count.describe('Sum of `prompt_tokens` and `completion_tokens`.'),
    prompt_tokens_details: z.strictObject({ cached_tokens: count.describe('Number of prompt tokens that were found in the prefix cache.') })
  })
  .meta({ id: 'Usage', description: 'Token counts of a request.' })
export type WireUsage = Readonly<z.output<typeof UsageSchema>>

export function toWireUsage(usage: Usage): WireUsage {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedTokens }
  }
}
