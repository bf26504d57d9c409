import { LIMITS } from '../../inference/contract/limits.ts'
import type { ChatFacts, TemplateMessage, TemplateToolCall } from '../../inference/contract/text-port.ts'
import { invalid } from '../wire/fields/invalid.ts'
import { measureJson } from '../wire/fields/json-bounds.ts'
import type { ChatMessages } from './message-fields.ts'

type Message = ChatMessages[number]

export interface History {
  readonly messages: readonly TemplateMessage[]
  /** Calls whose arguments are no JSON object: the template is given `{}` instead. */
  readonly unreadableCalls: number
}

/**
 * The client's messages in the words of chat templates. The older `function_call` and role `function` become a call and
 * the message of a tool; where the message of a tool does not name its function, the call that it answers does.
 *
 * @throws {ServiceError} `invalid_request` where the arguments of all calls hold too much
 */
export function toHistory(messages: ChatMessages, chat: Pick<ChatFacts, 'knowsDeveloper'>): History {
  const calls = new EarlierCalls()
  const written = messages.map((message): TemplateMessage => {
    const { role, content, refusal, name, tool_call_id } = message
    switch (role) {
      case 'assistant':
        return { role, content: content === '' ? (refusal ?? '') : content, ...named(name), ...calls.add(message) }
      case 'tool':
        return { role, content, ...named(name ?? calls.nameOf(tool_call_id)), ...identified(tool_call_id) }
      case 'function':
        return { role: 'tool', content, ...named(name), ...identified(tool_call_id ?? calls.idOf(name)) }
      default:
        return { role: role === 'developer' && !chat.knowsDeveloper ? 'system' : role, content, ...named(name) }
    }
  })
  return { messages: written, unreadableCalls: calls.unreadable }
}

/**
 * The calls that earlier messages made. Their arguments are JSON within JSON, so that together they are bounded as the
 * body is.
 */
class EarlierCalls {
  #members = 0
  readonly #nameById = new Map<string, string>()
  readonly #idByName = new Map<string, string>()
  unreadable = 0

  add({ tool_calls, function_call }: Message): { readonly tool_calls?: readonly TemplateToolCall[] } {
    const calls = tool_calls ?? []
    if (calls.length > 0) return { tool_calls: calls.map(call => this.#toCall(call.id ?? undefined, call.function)) }
    return function_call === null || function_call === undefined ? {} : { tool_calls: [this.#toCall(this.#newId(), function_call)] }
  }

  nameOf(id: string | null | undefined): string | undefined {
    return this.#nameById.get(id ?? '')
  }

  /** Of the last call of a function. */
  idOf(name: string | null | undefined): string | undefined {
    return this.#idByName.get(name ?? '')
  }

  #toCall(id: string | undefined, called: { readonly name: string; readonly arguments: string }): TemplateToolCall {
    if (id !== undefined) {
      this.#nameById.set(id, called.name)
      this.#idByName.set(called.name, id)
    }
    this.#members += measureJson(called.arguments).members
    if (this.#members > LIMITS.jsonMembers) {
      const bound = `Expected at most ${LIMITS.jsonMembers} arrays, objects and keys in the arguments of all calls`
      throw invalid('messages', `Invalid 'messages': the arguments of tool calls are too large. ${bound}, but got more.`)
    }
    const given = readArguments(called.arguments)
    if (given === null) this.unreadable++
    return { ...(id !== undefined && { id }), type: 'function', function: { name: called.name, arguments: given ?? {} } }
  }

  /** For a call that came without one. Mistral's templates want nine letters or digits. */
  #newId(): string {
    for (let number = this.#nameById.size; ; number++) {
      const id = `call${String(number).padStart(5, '0')}`
      if (!this.#nameById.has(id)) return id
    }
  }
}

/** What `arguments` say; null for all that is no JSON object. */
function readArguments(text: string): object | null {
  if (text.trim() === '') return {}
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && !Array.isArray(value) ? value : null
  } catch {
    return null
  }
}

function named(name: string | null | undefined): { readonly name?: string } {
  return typeof name === 'string' ? { name } : {}
}

function identified(id: string | null | undefined): { readonly tool_call_id?: string } {
  return typeof id === 'string' ? { tool_call_id: id } : {}
}
