import { createHash } from 'node:crypto'
import type { ChoiceEnd, GeneratedTokenEvent } from '../../inference/contract/events.ts'
import { type TokenName, tokenNames } from '../wire/logprob.ts'
import { type ChatLogprob, toChatLogprob } from './logprobs.ts'
import { type Read, type ToolCall, type ToolCallReader, toolCallReader } from './tool-calls.ts'
import type { ChatView } from './view.ts'

export interface WireToolCall {
  readonly id: string
  readonly type: 'function'
  readonly function: ToolCall
}

export interface MessageDelta {
  /** Once, first. */
  readonly role?: 'assistant'
  readonly content?: string
  /** Each complete. */
  readonly tool_calls?: readonly (WireToolCall & { readonly index: number })[]
}

/** One choice of a chunk. */
export interface ChatChunkChoice {
  readonly index: number
  readonly delta: MessageDelta
  readonly logprobs: { readonly content: readonly ChatLogprob[]; readonly refusal: null } | null
  readonly finish_reason: ChoiceEnd['reason'] | 'tool_calls' | null
  /** vLLM's: the stop string or stop token that ended the choice. */
  readonly stop_reason: string | number | null
  /** vLLM's, with `return_token_ids`. */
  readonly token_ids?: readonly number[]
}

/**
 * What opens a choice in a stream. It says nothing yet, as at OpenAI: the stream helper of OpenAI's client for
 * JavaScript counts the log-probabilities of a choice's first chunk twice.
 */
export function openingOf(choice: number): ChatChunkChoice {
  return { index: choice, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null, stop_reason: null }
}

/** Reads the tokens of one choice in their order. Only calls of tools make it remember anything. */
export class ChoiceReader {
  readonly #view: ChatView
  readonly #calls: ToolCallReader | null
  readonly #nameOf: TokenName
  #callCount = 0

  constructor(view: ChatView) {
    this.#view = view
    this.#calls = view.toolCalls === null ? null : toolCallReader(view.toolCalls)
    this.#nameOf = tokenNames(view.tokensAsIds)
  }

  /** null when the token adds nothing that a client could see. */
  read(event: GeneratedTokenEvent): ChatChunkChoice | null {
    const { content, calls } = this.#textOf(event)
    const delta = {
      ...(content !== '' && { content }),
      ...(calls.length > 0 && { tool_calls: calls.map(call => this.#toWire(call, event.choice)) })
    }
    if (Object.keys(delta).length === 0 && event.score === null && event.end === null && this.#view.promptTokenIds === null) return null
    return {
      index: event.choice,
      delta,
      logprobs: event.score === null ? null : { content: [toChatLogprob(event.score, this.#nameOf)], refusal: null },
      finish_reason: this.#reasonOf(event.end),
      stop_reason: event.end?.stopString ?? event.end?.stopTokenId ?? null,
      ...(this.#view.promptTokenIds !== null && { token_ids: [event.tokenId] })
    }
  }

  #textOf({ text, end }: GeneratedTokenEvent): Read {
    if (this.#calls === null) return { content: text, calls: [] }
    const pushed = this.#calls.push(text)
    if (end === null) return this.#counted(pushed)
    const rest = this.#calls.end()
    return this.#counted({ content: pushed.content + rest.content, calls: [...pushed.calls, ...rest.calls] })
  }

  #counted({ content, calls }: Read): Read {
    return { content, calls: this.#view.parallelToolCalls ? calls : calls.slice(0, Math.max(0, 1 - this.#callCount)) }
  }

  #toWire(call: ToolCall, choice: number): WireToolCall & { readonly index: number } {
    const index = this.#callCount++
    return { index, id: toolCallId(this.#view, choice, index), type: 'function', function: call }
  }

  #reasonOf(end: ChoiceEnd | null): ChatChunkChoice['finish_reason'] {
    if (end === null) return null
    return end.reason === 'stop' && this.#callCount > 0 ? 'tool_calls' : end.reason
  }
}

/**
 * The id is made of the place: whoever presents the same stream again says the same. Mistral's templates want nine
 * letters or digits.
 */
export function toolCallId({ id, toolCalls }: ChatView, choice: number, index: number): string {
  const hash = createHash('sha256').update(`${id} ${choice} ${index}`).digest('hex')
  return toolCalls === 'mistral' ? hash.slice(0, 9) : `call_${hash.slice(0, 24)}`
}
