import { ServiceError } from '../../../src/inference/contract/errors.ts'
import type { ChatFacts, TextPort } from '../../../src/inference/contract/text-port.ts'
import { TEXT } from '../literal-parts.ts'

/** A model whose template renders `<role>content`, lists its tools, and refuses messages with the content `no`. */
export function chatText(facts: Partial<ChatFacts> = {}): TextPort {
  const chat: ChatFacts = { template: 'literal', toolCalls: 'hermes', knowsDeveloper: false, ...facts }
  return {
    ...TEXT,
    facts: { ...TEXT.facts, startToken: '<s>', endToken: '</s>', chat },
    encode: async (text, { addSpecialTokens = true } = {}) => await TEXT.encode(`${addSpecialTokens ? '<s>' : ''}${text}`),
    renderChat: async ({ messages, tools, addGenerationPrompt, settings }) => {
      if (messages.some(({ content }) => content === 'no'))
        throw new ServiceError('invalid_request', 'the template refuses it', { param: 'messages' })
      const emitted = messages.map(
        ({ role, content, tool_calls }) => `<${role}>${content}${tool_calls === undefined ? '' : JSON.stringify(tool_calls)}`
      )
      const start = settings['start'] === true ? '<s>' : ''
      return start + (tools === null ? '' : JSON.stringify(tools)) + emitted.join('') + (addGenerationPrompt ? '>' : '')
    }
  }
}
