import type { GenerationApi } from '../wire/generation-api.ts'
import { admit } from './admit.ts'
import { openChat } from './answer.ts'
import { ChatBody } from './body.ts'
import { chunkMaker } from './present.ts'
import { ChatView, toView } from './view.ts'

/** OpenAI's chat completions API: a conversation in, its next message out. */
export const chatApi: GenerationApi<ChatBody> = {
  name: 'chat',
  path: '/v1/chat/completions',
  messageType: 'chat.create',
  idPrefix: 'chatcmpl-',
  schema: ChatBody,
  admit,
  toView: (body, request, { card, text }) => toView(body, request, card, text.facts.chat),
  presenter(stored) {
    const view = ChatView.parse(stored)
    const chunks = chunkMaker(view)
    return { chunks, open: () => openChat(view), ...(view.toolCalls !== null && { recall: chunks }) }
  }
}
