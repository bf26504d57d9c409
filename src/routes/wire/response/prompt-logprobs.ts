import { z } from 'zod'
import type { PromptEvent, TokenScore } from '../../../inference/contract/events.ts'
import { finite, type TokenName } from './logprob.ts'
import type { Wire } from './wire-type.ts'

const PromptLogprobSchema = z
  .record(z.string(), z.strictObject({ logprob: z.number(), rank: z.int().min(1).nullable(), decoded_token: z.string() }))
  .nullable()
type PromptLogprob = Wire<typeof PromptLogprobSchema>

/** vLLM's `prompt_logprobs` of one prompt. */
export const PromptLogprobsSchema = z
  .array(PromptLogprobSchema)
  .optional()
  .describe('With `prompt_logprobs`: for each prompt token, its alternatives by token id; null for the first token.')

/**
 * The entries of one `prompt` event.
 *
 * @param count  requested number of alternatives; the log may contain more
 */
export function* toPromptLogprobs({ scores }: PromptEvent, count: number, nameOf: TokenName): Generator<PromptLogprob, void> {
  for (const score of scores ?? []) yield toPromptLogprob(score, count, nameOf)
}

/** The entries of several `prompt` events, in order. */
export function* allPromptLogprobs(events: readonly PromptEvent[], count: number, nameOf: TokenName): Generator<PromptLogprob, void> {
  for (const event of events) yield* toPromptLogprobs(event, count, nameOf)
}

function toPromptLogprob(score: TokenScore, count: number, nameOf: TokenName): PromptLogprob {
  if (score.logprob === null) return null
  const entries = score.top.slice(0, count).map((token, index) => ({ ...token, rank: index + 1 }))
  const own = { tokenId: score.tokenId, text: score.text, logprob: score.logprob, rank: score.rank ?? null }
  return Object.fromEntries(
    [...entries, own].map(token => [
      String(token.tokenId),
      { logprob: finite(token.logprob), rank: token.rank, decoded_token: nameOf(token) }
    ])
  )
}
