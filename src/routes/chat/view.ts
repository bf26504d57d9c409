import { z } from 'zod'
import type { GenerationRequest } from '../../inference/contract/request.ts'
import type { ChatFacts } from '../../inference/contract/text-port.ts'
import { type ModelCard, systemFingerprint } from '../models/model-card.ts'
import type { ChatBody } from './body.ts'
import { usesTools } from './conversation.ts'

/** The data that presenting a request needs besides its events: plain data, the same for every reader of the stream. */
export const ChatView = z.object({
  id: z.string(),
  /** Unix seconds. */
  created: z.number(),
  model: z.string(),
  systemFingerprint: z.string().nullable(),
  /** Number of choices in the response: `n`. */
  choices: z.number(),
  /** Whether all choices are equal: the log contains one. */
  areEqual: z.boolean(),
  withLogprobs: z.boolean(),
  /** Number of alternatives of `prompt_logprobs`; null: no prompt logprobs. */
  promptLogprobs: z.number().nullable(),
  /** Whether tokens are named `token_id:7`. */
  tokensAsIds: z.boolean(),
  includeUsage: z.boolean(),
  /** Number of prompt tokens if every chunk contains the usage so far, else null. */
  promptTokens: z.number().nullable(),
  withTimings: z.boolean(),
  /** Format of tool calls; null if the prompt has no tools. */
  toolCalls: z.enum(['hermes', 'llama3', 'mistral']).nullable(),
  /** Whether a message may contain several calls; else only the first. */
  parallelToolCalls: z.boolean(),
  /** Token ids of the prompt if the response contains token ids, else null. */
  promptTokenIds: z.array(z.number()).readonly().nullable()
})
export type ChatView = Readonly<z.output<typeof ChatView>>

export function toView(body: ChatBody, request: GenerationRequest, card: ModelCard, chat: ChatFacts | null): ChatView {
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
