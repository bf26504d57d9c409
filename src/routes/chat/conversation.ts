import type { ChatFacts, Conversation, TextPort, TextWait } from '../../inference/contract/text-port.ts'
import { invalid } from '../wire/errors/service-errors.ts'
import type { ChatBody } from './body.ts'
import { toHistory } from './history.ts'

/** Writes a warning to the server's log. */
export type Warn = (message: string) => void

/** The fields of a body that determine its prompt. */
export type PromptFields = Pick<ChatBody, 'messages' | 'tools' | 'tool_choice' | 'add_generation_prompt' | 'chat_template_kwargs'>

/**
 * The conversation of a body in the form that the model's chat template reads.
 *
 * @throws {ServiceError} `invalid_request` when the model has no chat template, or its template does not support tools
 */
export function toConversation(fields: PromptFields, chat: ChatFacts | null, warn: Warn): Conversation {
  if (chat === null) {
    throw invalid('messages', `Invalid 'messages': this model has no chat template. Use /v1/completions instead.`)
  }
  const { messages, unreadableCalls } = toHistory(fields.messages, chat)
  if (unreadableCalls > 0)
    warn(`the arguments of ${unreadableCalls} earlier tool calls are not JSON objects: {} is passed to the chat template instead`)
  return {
    messages,
    tools: usesTools(fields, chat) ? fields.tools : null,
    addGenerationPrompt: fields.add_generation_prompt,
    settings: fields.chat_template_kwargs
  }
}

/** With `tool_choice` `none` the tools are left out of the prompt, so that the model calls none. */
export function usesTools({ tools, tool_choice }: Pick<PromptFields, 'tools' | 'tool_choice'>, chat: ChatFacts): boolean {
  const choice = tool_choice ?? 'auto'
  if (choice !== 'auto' && choice !== 'none') {
    throw invalid('tool_choice', `Invalid 'tool_choice': forced tool calls are not supported. Expected 'auto' or 'none'.`)
  }
  if (tools.length === 0 || choice === 'none') return false
  if (chat.toolCalls !== null) return true
  throw invalid(
    'tools',
    `Invalid 'tools': this model's chat template does not support tools, or its tool call format is not supported by this server.`
  )
}

export interface RenderOptions extends TextWait {
  /** Called with the rendered text before it is tokenized; may throw. */
  readonly check?: (rendered: string) => void
}

/** @returns the rendered text and its token ids, with at most one start token */
export async function renderPrompt(conversation: Conversation, text: TextPort, { check, ...wait }: RenderOptions) {
  const rendered = await text.renderChat(conversation, wait)
  check?.(rendered)
  const { startToken } = text.facts
  const hasStart = startToken !== null && startToken !== '' && rendered.startsWith(startToken)
  return { rendered, tokenIds: await text.encode(rendered, { ...wait, addSpecialTokens: !hasStart }) }
}
