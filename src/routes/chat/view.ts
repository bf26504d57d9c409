import { z } from 'zod'
import type { GenerationRequest } from '../../inference/contract/request.ts'
import type { ChatFacts } from '../../inference/contract/text-port.ts'
import { type ModelCard, systemFingerprint } from '../models/model-card.ts'
import type { ChatBody } from './body.ts'
import { usesTools } from './conversation.ts'

/** All that presenting a request's events needs besides the events: plain data, the same for every reader of the stream. */
export const ChatView = z.object({
  id: z.string(),
  /** Unix seconds. */
  created: z.number(),
  model: z.string(),
  systemFingerprint: z.string().nullable(),
  choices: z.number(),
  withLogprobs: z.boolean(),
  includeUsage: z.boolean(),
  /** How calls are written; null when no tools were offered. */
  toolCalls: z.enum(['hermes', 'llama3', 'mistral']).nullable(),
  /** Of several calls all count, else the first. */
  parallelToolCalls: z.boolean(),
  /** The prompt's ids, if the answer shall carry token ids. */
  promptTokenIds: z.array(z.number()).readonly().nullable()
})
export type ChatView = Readonly<z.output<typeof ChatView>>

export function toChatView(body: ChatBody, request: GenerationRequest, card: ModelCard, chat: ChatFacts | null): ChatView {
  return {
    id: request.id,
    created: Math.floor(request.admittedAtMs / 1000),
    model: card.servedModelName,
    systemFingerprint: systemFingerprint(card),
    choices: request.choicesPerPrompt,
    withLogprobs: request.topLogprobs !== null,
    includeUsage: body.stream_options?.include_usage ?? false,
    toolCalls: chat !== null && usesTools(body, chat) ? chat.toolCalls : null,
    parallelToolCalls: body.parallel_tool_calls,
    promptTokenIds: body.return_token_ids ? (request.prompts[0]?.tokenIds ?? []) : null
  }
}
