import type { Dialect } from '../wire/dialect.ts'
import { openChat } from './answer.ts'
import { chunkMaker } from './present.ts'
import { ChatView } from './view.ts'

/** OpenAI's chat completions API. */
export const chatDialect: Dialect = {
  name: 'chat',
  presenter(stored) {
    const view = ChatView.parse(stored)
    const chunks = chunkMaker(view)
    return { chunks, open: () => openChat(view), ...(view.toolCalls !== null && { recall: chunks }) }
  }
}
