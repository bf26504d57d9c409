import type { ChatFacts, Conversation, TextPort, TextWait } from '../../inference/contract/text-port.ts'
import { invalid } from '../wire/fields/invalid.ts'
import type { ChatBody } from './body.ts'
import { toHistory } from './history.ts'

/** Where something is told that no client reads. */
export type Warn = (message: string) => void

/** What of a body decides its prompt. */
export type ChatWords = Pick<ChatBody, 'messages' | 'tools' | 'tool_choice' | 'add_generation_prompt' | 'chat_template_kwargs'>

/**
 * The client's conversation in the words of the model's template.
 *
 * @throws {ServiceError} `invalid_request` when the model cannot chat, or not with tools
 */
export function toConversation(words: ChatWords, chat: ChatFacts | null, warn: Warn): Conversation {
  if (chat === null) {
    throw invalid('messages', `Invalid 'messages': this model has no chat template. Use /v1/completions instead.`)
  }
  const { messages, unreadableCalls } = toHistory(words.messages, chat)
  if (unreadableCalls > 0) warn(`the arguments of ${unreadableCalls} earlier tool calls are no JSON object: the template is given {}`)
  return {
    messages,
    tools: usesTools(words, chat) ? words.tools : null,
    addGenerationPrompt: words.add_generation_prompt,
    settings: words.chat_template_kwargs
  }
}

/** With `tool_choice` `none` the model is not told of its tools, and then calls none. */
export function usesTools({ tools, tool_choice }: Pick<ChatWords, 'tools' | 'tool_choice'>, chat: ChatFacts): boolean {
  const choice = tool_choice ?? 'auto'
  if (choice !== 'auto' && choice !== 'none') {
    throw invalid('tool_choice', `Invalid 'tool_choice': nothing forces a model to call here. Expected 'auto' or 'none'.`)
  }
  if (tools.length === 0 || choice === 'none') return false
  if (chat.toolCalls !== null) return true
  throw invalid(
    'tools',
    `Invalid 'tools': this model's chat template knows no tools, or its calls have a form that this server does not read.`
  )
}

export interface RenderOptions extends TextWait {
  /** Is given the rendered text before it is tokenized, and may throw. */
  readonly check?: (rendered: string) => void
}

/** @returns the prompt: the rendered text and its ids, with one start token at most */
export async function renderPrompt(conversation: Conversation, text: TextPort, { check, ...wait }: RenderOptions) {
  const rendered = await text.renderChat(conversation, wait)
  check?.(rendered)
  const { startToken } = text.facts
  const hasStart = startToken !== null && startToken !== '' && rendered.startsWith(startToken)
  return { rendered, tokenIds: await text.encode(rendered, { ...wait, addSpecialTokens: !hasStart }) }
}
