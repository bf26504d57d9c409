import type { FinishedEvent, LoggedEvent, Timings } from './events.ts'
import { invariant } from './invariant.ts'
import { type ChoiceScore, rankChoices } from './ranking.ts'
import { choiceCount, type GenerationRequest, promptTokensOf } from './request.ts'

/** Unix milliseconds; null until it happens. */
export interface RequestTimestamps {
  readonly startedAtMs: number | null
  readonly firstTokenAtMs: number | null
}

/** State of a request according to its log: an engine continues from here. */
export interface History extends RequestTimestamps {
  readonly isStarted: boolean
  /** Per prompt, the number of tokens in `prompt` events. */
  readonly emittedPromptTokens: readonly number[]
  /** Per prompt, as reported with its first token; null while none of its choices has a token. */
  readonly cachedTokens: readonly (number | null)[]
  /** Per choice, the emitted token ids. */
  readonly tokenIds: readonly (readonly number[])[]
  /** Per choice, the sum of the log-probabilities of its tokens; 0 where they are not scored. */
  readonly logprobs: readonly number[]
  /** Per choice, whether its last token was emitted. */
  readonly ended: readonly boolean[]
}

/** @param events  of this request, in order, without a terminal event */
export function readHistory(request: GenerationRequest, events: readonly LoggedEvent[]): History {
  const emittedPromptTokens = request.prompts.map(() => 0)
  const cachedTokens = request.prompts.map((): number | null => null)
  const tokenIds = Array.from({ length: choiceCount(request) }, (): number[] => [])
  const logprobs = tokenIds.map(() => 0)
  const ended = tokenIds.map(() => false)
  let startedAtMs: number | null = null
  let firstTokenAtMs: number | null = null
  for (const event of events) {
    if (event.kind === 'prompt') {
      emittedPromptTokens[event.promptIndex] = (emittedPromptTokens[event.promptIndex] ?? 0) + event.tokenIds.length
    } else if (event.kind === 'token') {
      const emitted = tokenIds[event.choice]
      invariant(emitted?.length === event.position, `choice ${event.choice} has a gap before position ${event.position}`)
      emitted.push(event.tokenId)
      logprobs[event.choice] = (logprobs[event.choice] ?? 0) + (event.score?.logprob ?? 0)
      ended[event.choice] = event.end !== null
      firstTokenAtMs ??= event.atMs ?? null
      cachedTokens[Math.floor(event.choice / request.choicesPerPrompt)] ??= event.cachedTokens ?? 0
    } else {
      invariant(event.kind === 'started', 'a history contains events after the terminal event')
      startedAtMs = event.atMs ?? null
    }
  }
  return { isStarted: events.length > 0, startedAtMs, firstTokenAtMs, emittedPromptTokens, cachedTokens, tokenIds, logprobs, ended }
}

/** State of a request whose choices have all ended. */
export interface EndedRequest extends RequestTimestamps {
  readonly request: GenerationRequest
  /** Per choice. */
  readonly scores: readonly ChoiceScore[]
  /** Sum over the prompts. */
  readonly cachedTokens: number
}

/** The terminal event of a request that ends now. */
export function toFinished({ request, scores, cachedTokens, ...timestamps }: EndedRequest, nowMs: number): FinishedEvent {
  const ranking = rankChoices(request, scores)
  return {
    kind: 'finished',
    usage: {
      promptTokens: promptTokensOf(request),
      completionTokens: scores.reduce((sum, { tokens }) => sum + tokens, 0) * request.standsFor,
      cachedTokens
    },
    timings: toTimings(request.admittedAtMs, timestamps, nowMs),
    ...(ranking !== null && { ranking })
  }
}

/** Durations of a request that ends now. Clocks of two machines may differ: negative differences become 0. */
function toTimings(admittedAtMs: number, { startedAtMs, firstTokenAtMs }: RequestTimestamps, nowMs: number): Timings {
  const started = startedAtMs ?? nowMs
  const firstToken = firstTokenAtMs ?? nowMs
  return {
    queueMs: Math.max(0, started - admittedAtMs),
    prefillMs: Math.max(0, firstToken - started),
    decodeMs: Math.max(0, nowMs - firstToken)
  }
}
