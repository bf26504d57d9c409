import type { FinishedEvent, GeneratedTokenEvent, PromptEvent } from '../../inference/contract/events.ts'
import type { AnswerInProgress } from '../wire/dialect.ts'
import { LazyList } from '../wire/json/json-pieces.ts'
import { tokenNames } from '../wire/response/logprob.ts'
import { allPromptLogprobs } from '../wire/response/prompt-logprobs.ts'
import { toWireTimings } from '../wire/response/timings.ts'
import { toWireUsage } from '../wire/response/usage.ts'
import type { LazyWire } from '../wire/response/wire-type.ts'
import { ChoiceReader, toChatLogprob, toolCallId } from './deltas.ts'
import { head } from './present.ts'
import type { ChatChunkChoice, ChatCompletionSchema, ChatLogprob } from './schema.ts'
import type { ToolCall } from './tool-calls.ts'
import type { ChatView } from './view.ts'

/** A choice in the log. Its token events are kept only if the response lists tokens. */
interface ChoiceState {
  readonly reader: ChoiceReader
  content: string
  readonly calls: ToolCall[]
  last: ChatChunkChoice | null
  readonly tokens: GeneratedTokenEvent[]
}

/**
 * A whole response that is built event by event. Long lists keep references to events, which the log shares, and are
 * converted while the response is sent.
 */
export function openChat(view: ChatView): AnswerInProgress {
  const computed = view.areEqual ? 1 : view.choices
  const choices = Array.from(
    { length: computed },
    (): ChoiceState => ({ reader: new ChoiceReader(view), content: '', calls: [], last: null, tokens: [] })
  )
  const prompts: PromptEvent[] = []
  const listsTokens = view.withLogprobs || view.promptTokenIds !== null
  let finished: FinishedEvent | null = null
  return {
    push(event) {
      if (event.kind === 'prompt') prompts.push(event)
      if (event.kind === 'finished') finished = event
      const choice = event.kind === 'token' ? choices[event.choice] : undefined
      if (event.kind !== 'token' || choice === undefined) return
      if (listsTokens) choice.tokens.push(event)
      const delta = choice.reader.read(event)
      if (delta === null) return
      choice.content += delta.delta.content ?? ''
      for (const call of delta.delta.tool_calls ?? []) choice.calls.push(call.function)
      choice.last = delta
    },
    toResponse: (): LazyWire<typeof ChatCompletionSchema> => ({
      ...head(view, 'chat.completion'),
      choices: Array.from({ length: view.choices }, (_, index) => toChoice(view, choices[view.areEqual ? 0 : index], index)),
      usage: finished === null ? null : toWireUsage(finished.usage),
      ...(view.withTimings && finished !== null && { timings: toWireTimings(finished.timings, finished.usage) }),
      ...(view.promptLogprobs !== null && {
        prompt_logprobs: new LazyList(() => allPromptLogprobs(prompts, view.promptLogprobs ?? 0, tokenNames(view.tokensAsIds)))
      }),
      ...(view.promptTokenIds !== null && { prompt_token_ids: view.promptTokenIds })
    })
  }
}

function toChoice(view: ChatView, choice: ChoiceState | undefined, index: number) {
  const { content = '', calls = [], last = null, tokens = [] } = choice ?? {}
  return {
    index,
    message: {
      role: 'assistant' as const,
      content: content === '' && calls.length > 0 ? null : content,
      refusal: null,
      ...(calls.length > 0 && {
        tool_calls: calls.map((call, at) => ({ id: toolCallId(view, index, at), type: 'function' as const, function: call }))
      })
    },
    logprobs: view.withLogprobs ? { content: new LazyList(() => logprobsOf(view, tokens)), refusal: null } : null,
    finish_reason: last?.finish_reason ?? null,
    stop_reason: last?.stop_reason ?? null,
    ...(view.promptTokenIds !== null && { token_ids: new LazyList(() => idsOf(tokens)) })
  }
}

function* logprobsOf(view: ChatView, tokens: readonly GeneratedTokenEvent[]): Generator<ChatLogprob, void> {
  const nameOf = tokenNames(view.tokensAsIds)
  for (const { score } of tokens) if (score !== null) yield toChatLogprob(score, nameOf)
}

function* idsOf(tokens: readonly GeneratedTokenEvent[]): Generator<number, void> {
  for (const { tokenId } of tokens) yield tokenId
}
