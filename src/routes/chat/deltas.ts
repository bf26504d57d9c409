import { createHash } from 'node:crypto'
import type { ChoiceEnd, GeneratedTokenEvent, ScoredAlternative, TokenScore } from '../../inference/contract/events.ts'
import { finite, type TokenName, tokenNames } from '../wire/response/logprob.ts'
import type { ChatChunkChoice, ChatLogprob, ToolCallDelta } from './schema.ts'
import { type ParsedText, type ToolCall, type ToolCallReader, toolCallReader } from './tool-calls.ts'
import type { ChatView } from './view.ts'

/**
 * The first delta of a choice in a stream. It has no content, as at OpenAI: the stream helper of OpenAI's client for
 * JavaScript counts the log-probabilities of the first chunk of a choice twice.
 */
export function openingOf(choice: number): ChatChunkChoice {
  return { index: choice, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null, stop_reason: null }
}

/** Converts the token events of one choice, in order, to deltas. It has state only if tool calls are parsed. */
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

  /** Null if the token adds nothing that a client can see. */
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

  #textOf({ text, end }: GeneratedTokenEvent): ParsedText {
    if (this.#calls === null) return { content: text, calls: [] }
    const pushed = this.#calls.push(text)
    if (end === null) return this.#limited(pushed)
    const rest = this.#calls.end()
    return this.#limited({ content: pushed.content + rest.content, calls: [...pushed.calls, ...rest.calls] })
  }

  #limited({ content, calls }: ParsedText): ParsedText {
    return { content, calls: this.#view.parallelToolCalls ? calls : calls.slice(0, Math.max(0, 1 - this.#callCount)) }
  }

  #toWire(call: ToolCall, choice: number): ToolCallDelta {
    const index = this.#callCount++
    return { index, id: toolCallId(this.#view, choice, index), type: 'function', function: call }
  }

  #reasonOf(end: ChoiceEnd | null): ChatChunkChoice['finish_reason'] {
    if (end === null) return null
    return end.reason === 'stop' && this.#callCount > 0 ? 'tool_calls' : end.reason
  }
}

/**
 * The id of a tool call: derived from its position, so that it is the same whenever the stream is presented. Mistral's
 * templates require nine letters or digits.
 */
export function toolCallId({ id, toolCalls }: ChatView, choice: number, index: number): string {
  const hash = createHash('sha256').update(`${id} ${choice} ${index}`).digest('hex')
  return toolCalls === 'mistral' ? hash.slice(0, 9) : `call_${hash.slice(0, 24)}`
}

const UTF8 = new TextEncoder()
const PARTIAL = /^bytes:(?:\\x[0-9a-f]{2})+$/

export function toChatLogprob(score: TokenScore, nameOf: TokenName): ChatLogprob {
  const entry = (token: ScoredAlternative) => ({ token: nameOf(token), logprob: finite(token.logprob), bytes: bytesOf(token.text) })
  return { ...entry({ ...score, logprob: score.logprob ?? Number.NEGATIVE_INFINITY }), top_logprobs: score.top.map(entry) }
}

/** The text of a token that is not whole UTF-8 is `bytes:\xe2\x80`. */
function bytesOf(token: string): number[] {
  if (!PARTIAL.test(token)) return Array.from(UTF8.encode(token))
  return Array.from(token.matchAll(/\\x(..)/g), ([, hex]) => Number.parseInt(hex ?? '', 16))
}
