import { z } from 'zod'
import type { GenerationRequest } from '../../inference/contract/request.ts'
import { type ModelCard, systemFingerprint } from '../models/model-card.ts'
import type { CompletionBody } from './body.ts'

/**
 * All that presenting a request's events needs besides the events: plain data, the same for every reader of the stream.
 */
export const CompletionView = z.object({
  id: z.string(),
  /** Unix seconds. */
  created: z.number(),
  model: z.string(),
  systemFingerprint: z.string().nullable(),
  promptCount: z.number(),
  /** That the client is shown: `n`. */
  choicesPerPrompt: z.number(),
  /** That there are in the log: fewer where one stands for equal ones, more where the best are shown. */
  computedPerPrompt: z.number(),
  /** No tokens were asked for: every choice ends with the request itself. */
  scoresOnly: z.boolean(),
  /** Alternatives that `logprobs` asks for; null: no logprobs. */
  topLogprobs: z.number().nullable(),
  /** The prompt is part of the text. */
  echo: z.boolean(),
  /** Alternatives that `prompt_logprobs` asks for; null: none. */
  promptLogprobs: z.number().nullable(),
  /** Tokens are written `token_id:7`. */
  tokensAsIds: z.boolean(),
  includeUsage: z.boolean(),
  /** Tokens of each prompt, if every chunk shall tell the usage so far. */
  promptTokens: z.array(z.number()).readonly().nullable(),
  withTimings: z.boolean(),
  /** The prompts' ids, if the answer shall carry token ids. */
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
