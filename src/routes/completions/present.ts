import type { LoggedEvent, Usage } from '../../inference/contract/events.ts'
import { type CompletionChoice, toDeltas } from './deltas.ts'
import { appendLogprobs, emptyLogprobs } from './legacy-logprobs.ts'
import type { CompletionView } from './view.ts'

/** OpenAI's `usage`. */
export interface WireUsage {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly total_tokens: number
  readonly prompt_tokens_details: { readonly cached_tokens: number }
}

/** A whole response, or one chunk of a stream: `object` is `text_completion` in both. */
export interface CompletionObject {
  readonly id: string
  readonly object: 'text_completion'
  readonly created: number
  readonly model: string
  readonly system_fingerprint?: string
  readonly choices: readonly CompletionChoice[]
  readonly usage?: WireUsage | null
}

/** The chunk that one event of the log makes; null if it makes none. */
export function toChunk(view: CompletionView, event: LoggedEvent): CompletionObject | null {
  const choices = toDeltas(view, event)
  if (choices.length === 0) return null
  return { ...head(view), choices, ...(view.includeUsage && { usage: null }) }
}

/** The last chunk of a stream with `include_usage`. */
export function toUsageChunk(view: CompletionView, usage: Usage): CompletionObject {
  return { ...head(view), choices: [], usage: toWireUsage(usage) }
}

/** A response that grows event by event, so that nobody has to keep the events. */
export interface CompletionInProgress {
  push(event: LoggedEvent): void
  /** Usage is null before the `finished` event. */
  toResponse(): CompletionObject
}

export function openCompletion(view: CompletionView): CompletionInProgress {
  const choices = Array.from({ length: view.promptCount * view.choicesPerPrompt }, (_, index) => openChoice(view, index))
  let usage: Usage | null = null
  return {
    push(event) {
      for (const delta of toDeltas(view, event)) choices[delta.index]?.push(delta)
      if (event.kind === 'finished') usage = event.usage
    },
    toResponse: () => ({
      ...head(view),
      choices: choices.map(choice => choice.toChoice()),
      usage: usage === null ? null : toWireUsage(usage)
    })
  }
}

function openChoice(view: CompletionView, index: number) {
  const logprobs = view.withLogprobs ? emptyLogprobs() : null
  const tokenIds: number[] = []
  let text = ''
  let last: CompletionChoice | null = null
  let promptIds: readonly number[] | undefined
  return {
    push(delta: CompletionChoice): void {
      text += delta.text
      if (logprobs !== null && delta.logprobs !== null) appendLogprobs(logprobs, delta.logprobs)
      if (delta.token_ids !== undefined) tokenIds.push(...delta.token_ids)
      promptIds ??= delta.prompt_token_ids
      last = delta
    },
    toChoice(): CompletionChoice {
      return {
        text,
        index,
        logprobs,
        finish_reason: last?.finish_reason ?? null,
        stop_reason: last?.stop_reason ?? null,
        ...(view.tokenIds !== null && { token_ids: tokenIds }),
        ...(promptIds !== undefined && { prompt_token_ids: promptIds })
      }
    }
  }
}

function head(view: CompletionView) {
  return {
    id: view.id,
    object: 'text_completion' as const,
    created: view.created,
    model: view.model,
    ...(view.systemFingerprint !== null && { system_fingerprint: view.systemFingerprint })
  }
}

function toWireUsage(usage: Usage): WireUsage {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedTokens }
  }
}
