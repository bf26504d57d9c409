import type { BodyReader } from '../wire/request/body-reader.ts'
import { admitChat } from './admit.ts'
import { ChatBody } from './body.ts'
import { chatDialect } from './dialect.ts'
import { toChatView } from './view.ts'

/** A conversation in, its next message out. */
export const chatReader: BodyReader<ChatBody> = {
  path: '/v1/chat/completions',
  schema: ChatBody,
  idPrefix: 'chatcmpl-',
  async read(body, admission) {
    const generation = await admitChat(body, admission)
    return {
      generation,
      presentation: { dialect: chatDialect.name, view: toChatView(body, generation, admission.card, admission.text.facts.chat) }
    }
  }
}
