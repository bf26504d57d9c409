import { z } from 'zod'
import type { GenerationRequest } from '../../inference/contract/request.ts'
import type { ChatFacts } from '../../inference/contract/text-port.ts'
import { type ModelCard, systemFingerprint } from '../models/model-card.ts'
import type { ChatBody } from './body.ts'
import { usesTools } from './conversation.ts'

/**
 * All that presenting a request's events needs besides the events: plain data, the same for every reader of the stream.
 */
export const ChatView = z.object({
  id: z.string(),
  /** Unix seconds. */
  created: z.number(),
  model: z.string(),
  systemFingerprint: z.string().nullable(),
  /** That the client is shown: `n`. */
  choices: z.number(),
  /** One is computed, and every choice shows it. */
  areEqual: z.boolean(),
  withLogprobs: z.boolean(),
  /** Alternatives that `prompt_logprobs` asks for; null: none. */
  promptLogprobs: z.number().nullable(),
  /** Tokens are written `token_id:7`. */
  tokensAsIds: z.boolean(),
  includeUsage: z.boolean(),
  /** Of the prompt, if every chunk shall tell the usage so far. */
  promptTokens: z.number().nullable(),
  withTimings: z.boolean(),
  /** How calls are written; null when no tools were offered. */
  toolCalls: z.enum(['hermes', 'llama3', 'mistral']).nullable(),
  /** Of several calls all count, else the first. */
  parallelToolCalls: z.boolean(),
  /** The prompt's ids, if the answer shall carry token ids. */
  promptTokenIds: z.array(z.number()).readonly().nullable()
})
export type ChatView = Readonly<z.output<typeof ChatView>>

export function toChatView(body: ChatBody, request: GenerationRequest, card: ModelCard, chat: ChatFacts | null): ChatView {
  const includeUsage = body.stream_options?.include_usage ?? false
  const promptTokenIds = request.prompts[0]?.tokenIds ?? []
  return {
    id: request.id,
    created: Math.floor(request.admittedAtMs / 1000),
    model: card.servedModelName,
    systemFingerprint: systemFingerprint(card),
    choices: request.shownPerPrompt,
    areEqual: request.choicesPerPrompt < request.shownPerPrompt,
    withLogprobs: request.topLogprobs !== null,
    promptLogprobs: body.prompt_logprobs,
    tokensAsIds: body.return_tokens_as_token_ids,
    includeUsage,
    promptTokens: includeUsage && body.stream_options?.continuous_usage_stats ? promptTokenIds.length : null,
    withTimings: body.timings,
    toolCalls: chat !== null && usesTools(body, chat) ? chat.toolCalls : null,
    parallelToolCalls: body.parallel_tool_calls,
    promptTokenIds: body.return_token_ids ? promptTokenIds : null
  }
}
