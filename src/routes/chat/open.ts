import type { TextPort } from '../../inference/contract/text-port.ts'
import type { ModelCard } from '../models/model-card.ts'
import { newId, newSeed } from '../wire/ids.ts'
import { ignoredFields, refuseIfStrict } from '../wire/ignored-params.ts'
import type { Opener } from '../wire/opener.ts'
import { parseWith } from '../wire/zod-validator.ts'
import { admitChat } from './admit.ts'
import { ChatBody } from './body.ts'
import { chatDialect } from './dialect.ts'
import { toChatView } from './view.ts'

export interface ChatParts {
  readonly text: TextPort
  readonly card: ModelCard
  readonly strictParams: boolean
}

/** Reads bodies of the chat API that come by a socket, where every answer is a stream. */
export function chatOpener({ text, card, strictParams }: ChatParts): Opener {
  return async (raw, { owner, admittedAtMs }) => {
    const body = parseWith(ChatBody, { ...raw, stream: true })
    const ignored = ignoredFields(body, ChatBody.shape)
    refuseIfStrict(ignored, strictParams)
    const generation = await admitChat(body, { text, card, newSeed, id: newId('chatcmpl-'), admittedAtMs, callerSalt: owner })
    const presentation = { dialect: chatDialect.name, view: toChatView(body, generation, card, text.facts.chat) }
    return { generation, presentation, ignored, background: body.background }
  }
}
