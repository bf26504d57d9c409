import type { PromptEvent, TokenScore } from '../../inference/contract/events.ts'
import { finite, type TokenName } from './logprob.ts'

/** vLLM's `prompt_logprobs` of one prompt token, by token id; null for the first, which nothing predicts. */
export type PromptLogprob = Readonly<
  Record<string, { readonly logprob: number; readonly rank: number | null; readonly decoded_token: string }>
> | null

/**
 * Of a piece of a prompt, one by one.
 *
 * @param count  alternatives that were asked for: the log may hold more
 */
export function* toPromptLogprobs({ scores }: PromptEvent, count: number, nameOf: TokenName): Generator<PromptLogprob, void> {
  for (const score of scores ?? []) yield toPromptLogprob(score, count, nameOf)
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
