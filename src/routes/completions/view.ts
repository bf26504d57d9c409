import type { GenerationRequest } from '../../inference/contract/request.ts'
import { type ModelCard, systemFingerprint } from '../models/model-card.ts'
import type { CompletionBody } from './body.ts'

/** All that presenting a request's events needs besides the events: plain data, the same for every reader of the stream. */
export interface CompletionView {
  readonly id: string
  /** Unix seconds. */
  readonly created: number
  readonly model: string
  readonly systemFingerprint: string | null
  readonly promptCount: number
  readonly choicesPerPrompt: number
  /** No tokens were asked for: every choice ends with the request itself. */
  readonly scoresOnly: boolean
  readonly withLogprobs: boolean
  readonly includeUsage: boolean
  /** The prompts' ids, if the answer shall carry token ids. */
  readonly tokenIds: readonly (readonly number[])[] | null
}

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
