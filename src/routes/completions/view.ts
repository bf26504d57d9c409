import { z } from 'zod'
import type { GenerationRequest } from '../../inference/contract/request.ts'
import { type ModelCard, systemFingerprint } from '../models/model-card.ts'
import type { CompletionBody } from './body.ts'

/** The data that presenting a request needs besides its events: plain data, the same for every reader of the stream. */
export const CompletionView = z.object({
  id: z.string(),
  /** Unix seconds. */
  created: z.number(),
  model: z.string(),
  systemFingerprint: z.string().nullable(),
  promptCount: z.number(),
  /** Number of choices in the response: `n`. */
  choicesPerPrompt: z.number(),
  /** Number of choices in the log: 1 if all are equal, more than `n` with `best_of`. */
  computedPerPrompt: z.number(),
  /** `max_tokens` is 0: every choice ends with the request itself. */
  scoresOnly: z.boolean(),
  /** Number of alternatives of `logprobs`; null: no logprobs. */
  topLogprobs: z.number().nullable(),
  /** Whether the text begins with the prompt. */
  echo: z.boolean(),
  /** Number of alternatives of `prompt_logprobs`; null: no prompt logprobs. */
  promptLogprobs: z.number().nullable(),
  /** Whether tokens are named `token_id:7`. */
  tokensAsIds: z.boolean(),
  includeUsage: z.boolean(),
  /** Number of tokens of each prompt if every chunk contains the usage so far, else null. */
  promptTokens: z.array(z.number()).readonly().nullable(),
  withTimings: z.boolean(),
  /** Token ids of the prompts if the response contains token ids, else null. */
  tokenIds: z.array(z.array(z.number()).readonly()).readonly().nullable()
})
export type CompletionView = Readonly<z.output<typeof CompletionView>>

export function toView(body: CompletionBody, request: GenerationRequest, card: ModelCard): CompletionView {
  const includeUsage = body.stream_options?.include_usage ?? false
  return {
    id: request.id,
    created: Math.floor(request.admittedAtMs / 1000),
    model: card.servedModelName,
    systemFingerprint: systemFingerprint(card),
    promptCount: request.prompts.length,
    choicesPerPrompt: request.shownPerPrompt,
    computedPerPrompt: request.choicesPerPrompt,
    scoresOnly: request.maxNewTokens === 0,
    topLogprobs: body.logprobs ?? (body.logprob_token_ids === null ? null : 0),
    echo: body.echo,
    promptLogprobs: body.prompt_logprobs,
    tokensAsIds: body.return_tokens_as_token_ids,
    includeUsage,
    promptTokens:
      includeUsage && body.stream_options?.continuous_usage_stats ? request.prompts.map(prompt => prompt.tokenIds.length) : null,
    withTimings: body.timings,
    tokenIds: body.return_token_ids ? request.prompts.map(prompt => prompt.tokenIds) : null
  }
}
