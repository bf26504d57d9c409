import type { LoggedEvent, Usage } from '../../inference/contract/events.ts'
import type { AnswerInProgress } from '../wire/dialect.ts'
import { toWireUsage } from '../wire/usage.ts'
import { type ChatChunkChoice, ChoiceReader, openingOf, type WireToolCall } from './deltas.ts'
import type { ChatLogprob } from './logprobs.ts'
import type { ChatView } from './view.ts'

/** Turns the events of one request, in their order, into chunks. */
export function chunkMaker(view: ChatView): (event: LoggedEvent) => readonly object[] {
  const deltas = deltaMaker(view)
  return event => {
    if (event.kind === 'finished')
      return view.includeUsage ? [{ ...head(view, 'chat.completion.chunk'), choices: [], usage: toWireUsage(event.usage) }] : []
    const opening = event.kind === 'token' && event.position === 0 ? openingOf(event.choice) : null
    return [opening, deltas(event)].filter(choice => choice !== null).map(choice => toChunk(view, choice))
  }
}

/** With `return_token_ids` the first chunk of all carries the prompt's ids. */
function toChunk(view: ChatView, choice: ChatChunkChoice): object {
  const isFirst = choice.index === 0 && choice.delta.role !== undefined
  return {
    ...head(view, 'chat.completion.chunk'),
    ...(isFirst && view.promptTokenIds !== null && { prompt_token_ids: view.promptTokenIds }),
    choices: [choice],
    ...(view.includeUsage && { usage: null })
  }
}

export function openChat(view: ChatView): AnswerInProgress {
  const deltas = deltaMaker(view)
  const choices = Array.from({ length: view.choices }, (_, index) => openChoice(view, index))
  let usage: Usage | null = null
  return {
    push(event) {
      const delta = deltas(event)
      if (delta !== null) choices[delta.index]?.push(delta)
      if (event.kind === 'finished') usage = event.usage
    },
    toResponse: () => ({
      ...head(view, 'chat.completion'),
      choices: choices.map(choice => choice.toChoice()),
      usage: usage === null ? null : toWireUsage(usage),
      ...(view.promptTokenIds !== null && { prompt_token_ids: view.promptTokenIds })
    })
  }
}

function deltaMaker(view: ChatView): (event: LoggedEvent) => ChatChunkChoice | null {
  const readers = Array.from({ length: view.choices }, () => new ChoiceReader(view))
  return event => (event.kind === 'token' ? (readers[event.choice]?.read(event) ?? null) : null)
}

function openChoice(view: ChatView, index: number) {
  const logprobs: ChatLogprob[] = []
  const tokenIds: number[] = []
  const calls: WireToolCall[] = []
  let content = ''
  let last: ChatChunkChoice | null = null
  return {
    push(choice: ChatChunkChoice): void {
      content += choice.delta.content ?? ''
      for (const { id, type, function: called } of choice.delta.tool_calls ?? []) calls.push({ id, type, function: called })
      if (choice.logprobs !== null) logprobs.push(...choice.logprobs.content)
      tokenIds.push(...(choice.token_ids ?? []))
      last = choice
    },
    toChoice: () => ({
      index,
      message: {
        role: 'assistant',
        content: content === '' && calls.length > 0 ? null : content,
        refusal: null,
        ...(calls.length > 0 && { tool_calls: calls })
      },
      logprobs: view.withLogprobs ? { content: logprobs, refusal: null } : null,
      finish_reason: last?.finish_reason ?? null,
      stop_reason: last?.stop_reason ?? null,
      ...(view.promptTokenIds !== null && { token_ids: tokenIds })
    })
  }
}

function head(view: ChatView, object: 'chat.completion' | 'chat.completion.chunk') {
  return {
    id: view.id,
    object,
    created: view.created,
    model: view.model,
    ...(view.systemFingerprint !== null && { system_fingerprint: view.systemFingerprint })
  }
}
