import type { FinishedEvent, GeneratedTokenEvent, PromptEvent } from '../../inference/contract/events.ts'
import type { AnswerInProgress } from '../wire/dialect.ts'
import { LazyList } from '../wire/json-pieces.ts'
import { tokenNames } from '../wire/logprob.ts'
import { type PromptLogprob, toPromptLogprobs } from '../wire/prompt-logprobs.ts'
import { toWireTimings } from '../wire/timings.ts'
import { toWireUsage } from '../wire/usage.ts'
import { type ChatChunkChoice, ChoiceReader, toolCallId } from './deltas.ts'
import { type ChatLogprob, toChatLogprob } from './logprobs.ts'
import { head } from './present.ts'
import type { ToolCall } from './tool-calls.ts'
import type { ChatView } from './view.ts'

/** A choice of the log. Its events are kept only where the answer lists its tokens. */
interface ChoiceState {
  readonly reader: ChoiceReader
  content: string
  readonly calls: ToolCall[]
  last: ChatChunkChoice | null
  readonly tokens: GeneratedTokenEvent[]
}

/**
 * A whole response that grows event by event. It holds events, which the log shares, and makes of them what it says
 * while that is written.
 */
export function openChat(view: ChatView): AnswerInProgress {
  const computed = view.areEqual ? 1 : view.choices
  const choices = Array.from(
    { length: computed },
    (): ChoiceState => ({ reader: new ChoiceReader(view), content: '', calls: [], last: null, tokens: [] })
  )
  const prompts: PromptEvent[] = []
  const listsTokens = view.withLogprobs || view.promptTokenIds !== null
  let end: FinishedEvent | null = null
  return {
    push(event) {
      if (event.kind === 'prompt') prompts.push(event)
      if (event.kind === 'finished') end = event
      const choice = event.kind === 'token' ? choices[event.choice] : undefined
      if (event.kind !== 'token' || choice === undefined) return
      if (listsTokens) choice.tokens.push(event)
      const delta = choice.reader.read(event)
      if (delta === null) return
      choice.content += delta.delta.content ?? ''
      for (const call of delta.delta.tool_calls ?? []) choice.calls.push(call.function)
      choice.last = delta
    },
    toResponse: () => ({
      ...head(view, 'chat.completion'),
      choices: Array.from({ length: view.choices }, (_, index) => toChoice(view, choices[view.areEqual ? 0 : index], index)),
      usage: end === null ? null : toWireUsage(end.usage),
      ...(view.withTimings && end !== null && { timings: toWireTimings(end.timings, end.usage) }),
      ...(view.promptLogprobs !== null && { prompt_logprobs: new LazyList(() => promptLogprobs(view, prompts)) }),
      ...(view.promptTokenIds !== null && { prompt_token_ids: view.promptTokenIds })
    })
  }
}

function toChoice(view: ChatView, choices: ChoiceState | undefined, index: number) {
  const { content = '', calls = [], last = null, tokens = [] } = choices ?? {}
  return {
    index,
    message: {
      role: 'assistant',
      content: content === '' && calls.length > 0 ? null : content,
      refusal: null,
      ...(calls.length > 0 && {
        tool_calls: calls.map((call, at) => ({ id: toolCallId(view, index, at), type: 'function', function: call }))
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

function* promptLogprobs({ promptLogprobs: count, tokensAsIds }: ChatView, events: readonly PromptEvent[]): Generator<PromptLogprob, void> {
  for (const event of events) yield* toPromptLogprobs(event, count ?? 0, tokenNames(tokensAsIds))
}
