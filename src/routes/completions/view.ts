import { z } from 'zod'
import type { GenerationRequest } from '../../inference/contract/request.ts'
import { type ModelCard, systemFingerprint } from '../models/model-card.ts'
import type { CompletionBody } from './body.ts'

/** All that presenting a request's events needs besides the events: plain data, the same for every reader of the stream. */
export const CompletionView = z.object({
  id: z.string(),
  /** Unix seconds. */
  created: z.number(),
  model: z.string(),
  systemFingerprint: z.string().nullable(),
  promptCount: z.number(),
  choicesPerPrompt: z.number(),
  /** No tokens were asked for: every choice ends with the request itself. */
  scoresOnly: z.boolean(),
  withLogprobs: z.boolean(),
  includeUsage: z.boolean(),
  /** The prompts' ids, if the answer shall carry token ids. */
  tokenIds: z.array(z.array(z.number()).readonly()).readonly().nullable()
})
export type CompletionView = Readonly<z.output<typeof CompletionView>>

export function toView(body: CompletionBody, request: GenerationRequest, card: ModelCard): CompletionView {
  return {
    id: request.id,
    created: Math.floor(request.admittedAtMs / 1000),
    model: card.servedModelName,
    systemFingerprint: systemFingerprint(card),
    promptCount: request.prompts.length,
    choicesPerPrompt: request.choicesPerPrompt,
    scoresOnly: request.maxNewTokens === 0,
    withLogprobs: request.topLogprobs !== null,
    includeUsage: body.stream_options?.include_usage ?? false,
    tokenIds: body.return_token_ids ? request.prompts.map(prompt => prompt.tokenIds) : null
  }
}
