import type { FinishedEvent, LoggedEvent } from '../../inference/contract/events.ts'
import type { PromptLogprob } from '../wire/prompt-logprobs.ts'
import { toWireTimings, type WireTimings } from '../wire/timings.ts'
import { toWireUsage, type WireUsage } from '../wire/usage.ts'
import { type CompletionChoice, toDeltas } from './deltas.ts'
import { appendLogprobs, emptyLogprobs } from './legacy-logprobs.ts'
import type { CompletionView } from './view.ts'

/** A whole response, or one chunk of a stream: `object` is `text_completion` in both. */
export interface CompletionObject {
  readonly id: string
  readonly object: 'text_completion'
  readonly created: number
  readonly model: string
  readonly system_fingerprint?: string
  readonly choices: readonly CompletionChoice[]
  readonly usage?: WireUsage | null
  readonly timings?: WireTimings
}

/** The chunk that one event of the log makes; null if it makes none. */
export function toChunk(view: CompletionView, event: LoggedEvent): CompletionObject | null {
  const choices = toDeltas(view, event)
  if (choices.length === 0) return null
  return { ...head(view), choices, ...(view.includeUsage && { usage: usageSoFar(view, event) }) }
}

/** The last chunk of a stream that tells usage or timings. */
export function toLastChunk(view: CompletionView, { usage, timings }: FinishedEvent): CompletionObject {
  return {
    ...head(view),
    choices: [],
    ...(view.includeUsage && { usage: toWireUsage(usage) }),
    ...(view.withTimings && { timings: toWireTimings(timings, usage) })
  }
}

/** vLLM's `continuous_usage_stats`: of the prompt and the one choice that a chunk goes on with, so that any chunk can be made from its event alone. */
function usageSoFar(view: CompletionView, event: LoggedEvent): WireUsage | null {
  if (view.promptTokens === null || event.kind !== 'token') return null
  const promptTokens = view.promptTokens[Math.floor(event.choice / view.computedPerPrompt)] ?? 0
  return toWireUsage({ promptTokens, completionTokens: event.position + 1, cachedTokens: event.cachedTokens ?? 0 })
}

/** A response that grows event by event, so that nobody has to keep the events. */
export interface CompletionInProgress {
  push(event: LoggedEvent): void
  /** Usage is null before the `finished` event. */
  toResponse(): CompletionObject
}

/** Of many choices the best are shown as they are ranked in the end, and before that the first. */
export function openCompletion(view: CompletionView): CompletionInProgress {
  const perPrompt = Math.max(view.computedPerPrompt, view.choicesPerPrompt)
  const all = { ...view, choicesPerPrompt: perPrompt }
  const choices = Array.from({ length: view.promptCount * perPrompt }, () => openChoice(view))
  let end: FinishedEvent | null = null
  return {
    push(event) {
      for (const delta of toDeltas(all, event)) choices[delta.index]?.push(delta)
      if (event.kind === 'finished') end = event
    },
    toResponse() {
      const shown = end?.ranking?.map(choice => choices[choice]) ?? choices.filter((_, index) => index % perPrompt < view.choicesPerPrompt)
      return {
        ...head(view),
        choices: shown.flatMap((choice, index) => choice?.toChoice(index) ?? []),
        usage: end === null ? null : toWireUsage(end.usage),
        ...(view.withTimings && end !== null && { timings: toWireTimings(end.timings, end.usage) })
      }
    }
  }
}

function openChoice(view: CompletionView) {
  const logprobs = view.topLogprobs === null ? null : emptyLogprobs()
  const promptLogprobs: PromptLogprob[] = []
  const tokenIds: number[] = []
  let text = ''
  let last: CompletionChoice | null = null
  let promptIds: readonly number[] | undefined
  return {
    push(delta: CompletionChoice): void {
      text += delta.text
      if (logprobs !== null && delta.logprobs !== null) appendLogprobs(logprobs, delta.logprobs)
      if (delta.token_ids !== undefined) tokenIds.push(...delta.token_ids)
      if (delta.prompt_logprobs !== undefined) promptLogprobs.push(...delta.prompt_logprobs)
      promptIds ??= delta.prompt_token_ids
      last = delta
    },
    toChoice(index: number): CompletionChoice {
      return {
        text,
        index,
        logprobs,
        finish_reason: last?.finish_reason ?? null,
        stop_reason: last?.stop_reason ?? null,
        ...(view.tokenIds !== null && { token_ids: tokenIds }),
        ...(promptIds !== undefined && { prompt_token_ids: promptIds }),
        ...(view.promptLogprobs !== null && { prompt_logprobs: promptLogprobs })
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
