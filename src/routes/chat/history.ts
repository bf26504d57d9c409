import { LIMITS } from '../../inference/contract/limits.ts'
import type { ChatFacts, TemplateMessage, TemplateToolCall } from '../../inference/contract/text-port.ts'
import { invalid } from '../wire/errors/service-errors.ts'
import { JsonBudget, parseJson } from '../wire/json/json-bounds.ts'
import type { ChatMessages } from './message-fields.ts'

type Message = ChatMessages[number]

export interface History {
  readonly messages: readonly TemplateMessage[]
  /** Number of calls whose arguments are not a JSON object; the template receives `{}` instead. */
  readonly unreadableCalls: number
}

/**
 * Messages in the form that chat templates read. The deprecated `function_call` and role `function` are converted to
 * tool calls and messages of role `tool`. A tool message without a name gets the name of the call that it answers.
 *
 * @throws {ServiceError} `invalid_request` when the arguments of all calls together are too large
 */
export function toHistory(messages: ChatMessages, chat: Pick<ChatFacts, 'knowsDeveloper'>): History {
  const calls = new EarlierCalls()
  const templateMessages = messages.map((message): TemplateMessage => {
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
  return { messages: templateMessages, unreadableCalls: calls.unreadable }
}

/**
 * The tool calls of earlier messages. Their arguments are JSON within JSON: together they have the bounds of a body.
 */
class EarlierCalls {
  readonly #budget = new JsonBudget()
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

  /** Id of the last call of a function. */
  idOf(name: string | null | undefined): string | undefined {
    return this.#idByName.get(name ?? '')
  }

  #toCall(id: string | undefined, called: { readonly name: string; readonly arguments: string }): TemplateToolCall {
    if (id !== undefined) {
      this.#nameById.set(id, called.name)
      this.#idByName.set(called.name, id)
    }
    if (this.#budget.exceeds(called.arguments)) {
      const bound = `Expected at most ${LIMITS.jsonMembers} arrays, objects and keys in the arguments of all calls`
      throw invalid('messages', `Invalid 'messages': the arguments of tool calls are too large. ${bound}, but got more.`)
    }
    const args = readArguments(called.arguments)
    if (args === null) this.unreadable++
    return { ...(id !== undefined && { id }), type: 'function', function: { name: called.name, arguments: args ?? {} } }
  }

  /** An id for a call without one. Mistral's templates require nine letters or digits. */
  #newId(): string {
    for (let number = this.#nameById.size; ; number++) {
      const id = `call${String(number).padStart(5, '0')}`
      if (!this.#nameById.has(id)) return id
    }
  }
}

/** Parses `arguments`; null if they are not a JSON object. */
function readArguments(text: string): object | null {
  if (text.trim() === '') return {}
  const value = parseJson(text)
  return typeof value === 'object' && !Array.isArray(value) ? value : null
}

function named(name: string | null | undefined): { readonly name?: string } {
  return typeof name === 'string' ? { name } : {}
}

function identified(id: string | null | undefined): { readonly tool_call_id?: string } {
  return typeof id === 'string' ? { tool_call_id: id } : {}
}
