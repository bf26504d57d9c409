import type { FinishedEvent, GeneratedTokenEvent, LoggedEvent, PromptEvent } from '../../inference/contract/events.ts'
import type { AnswerInProgress } from '../wire/dialect.ts'
import { tokenNames } from '../wire/logprob.ts'
import { type PromptLogprob, toPromptLogprobs } from '../wire/prompt-logprobs.ts'
import { toWireTimings } from '../wire/timings.ts'
import { toWireUsage, type WireUsage } from '../wire/usage.ts'
import { type ChatChunkChoice, ChoiceReader, openingOf, type WireToolCall } from './deltas.ts'
import type { ChatLogprob } from './logprobs.ts'
import type { ChatView } from './view.ts'

/** Turns the events of one request, in their order, into chunks. */
export function chunkMaker(view: ChatView): (event: LoggedEvent) => readonly object[] {
  const deltas = deltaMaker(view)
  return event => {
    switch (event.kind) {
      case 'token':
        return tokenChunks(view, event, deltas(event))
      case 'prompt':
        return view.promptLogprobs === null ? [] : [{ ...chunkHead(view), choices: [], prompt_logprobs: promptLogprobs(view, event) }]
      case 'finished':
        return view.includeUsage || view.withTimings ? [lastChunk(view, event)] : []
      case 'started':
      case 'failed':
        return []
      default:
        return event satisfies never
    }
  }
}

/** One for each choice, as at OpenAI. */
function tokenChunks(view: ChatView, event: GeneratedTokenEvent, deltas: readonly ChatChunkChoice[]): object[] {
  const { choice, position, cachedTokens = 0 } = event
  const openings = position === 0 ? shownAs(view, choice).map(openingOf) : []
  return [
    ...openings.map(opening => toChunk(view, opening, usageSoFar(view, 0, cachedTokens))),
    ...deltas.map(delta => toChunk(view, delta, usageSoFar(view, position + 1, cachedTokens)))
  ]
}

/** vLLM's `continuous_usage_stats`: of the prompt and the one choice of a chunk. */
function usageSoFar({ promptTokens }: ChatView, completionTokens: number, cachedTokens: number): WireUsage | null {
  return promptTokens === null ? null : toWireUsage({ promptTokens, completionTokens, cachedTokens })
}

/** With `return_token_ids` the first chunk of all carries the prompt's ids. */
function toChunk(view: ChatView, choice: ChatChunkChoice, usage: WireUsage | null): object {
  const isFirst = choice.index === 0 && choice.delta.role !== undefined
  return {
    ...chunkHead(view),
    ...(isFirst && view.promptTokenIds !== null && { prompt_token_ids: view.promptTokenIds }),
    choices: [choice],
    ...(view.includeUsage && { usage })
  }
}

function lastChunk(view: ChatView, { usage, timings }: FinishedEvent): object {
  return {
    ...chunkHead(view),
    choices: [],
    ...(view.includeUsage && { usage: toWireUsage(usage) }),
    ...(view.withTimings && { timings: toWireTimings(timings, usage) })
  }
}

export function openChat(view: ChatView): AnswerInProgress {
  const deltas = deltaMaker(view)
  const choices = Array.from({ length: view.choices }, (_, index) => openChoice(view, index))
  const promptScores: PromptLogprob[] = []
  let end: FinishedEvent | null = null
  return {
    push(event) {
      for (const delta of deltas(event)) choices[delta.index]?.push(delta)
      if (event.kind === 'prompt') promptScores.push(...promptLogprobs(view, event))
      if (event.kind === 'finished') end = event
    },
    toResponse: () => ({
      ...head(view, 'chat.completion'),
      choices: choices.map(choice => choice.toChoice()),
      usage: end === null ? null : toWireUsage(end.usage),
      ...(view.withTimings && end !== null && { timings: toWireTimings(end.timings, end.usage) }),
      ...(view.promptLogprobs !== null && { prompt_logprobs: promptScores }),
      ...(view.promptTokenIds !== null && { prompt_token_ids: view.promptTokenIds })
    })
  }
}

function deltaMaker(view: ChatView): (event: LoggedEvent) => readonly ChatChunkChoice[] {
  const readers = Array.from({ length: view.choices }, () => new ChoiceReader(view))
  return event => {
    if (event.kind !== 'token') return []
    return shownAs(view, event.choice).flatMap(choice => readers[choice]?.read({ ...event, choice }) ?? [])
  }
}

/** The indexes of a choice of the log: its own, or those of all that it stands for. */
function shownAs(view: ChatView, choice: number): readonly number[] {
  return view.areEqual ? Array.from({ length: view.choices }, (_, index) => index) : [choice]
}

function promptLogprobs(view: ChatView, event: PromptEvent): PromptLogprob[] {
  return toPromptLogprobs(event.scores ?? [], view.promptLogprobs ?? 0, tokenNames(view.tokensAsIds))
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

const chunkHead = (view: ChatView) => head(view, 'chat.completion.chunk')

function head(view: ChatView, object: 'chat.completion' | 'chat.completion.chunk') {
  return {
    id: view.id,
    object,
    created: view.created,
    model: view.model,
    ...(view.systemFingerprint !== null && { system_fingerprint: view.systemFingerprint })
  }
}
