import type { FinishedEvent, GeneratedTokenEvent, StartedEvent } from '../../contract/events.ts'
import { type History, toFinished } from '../../contract/history.ts'
import { invariant } from '../../contract/invariant.ts'
import { choiceCount, type GenerationRequest } from '../../contract/request.ts'

/** Usage, timings and open choices of one request. */
export class Job {
  readonly request: GenerationRequest
  /** Events logged before the request was submitted here. */
  readonly history: History
  /** Set by cancel and by failure: results of runs in flight are discarded. */
  isOver = false
  /** A run of this engine has computed a part of it. */
  hasAdvanced = false
  #openChoices: number
  /** Per choice. */
  readonly #scores: { tokens: number; logprob: number }[]
  /** Per prompt; null until its first prefill begins. */
  readonly #cachedTokens: (number | null)[]
  /** Per prompt, whether its cached tokens are in the log. */
  readonly #isCachedEmitted: boolean[]
  #startedAtMs: number | null
  #firstTokenAtMs: number | null

  constructor(request: GenerationRequest, history: History) {
    this.request = request
    this.history = history
    this.#openChoices = choiceCount(request) - history.ended.filter(Boolean).length
    this.#scores = history.tokenIds.map((emitted, choice) => ({ tokens: emitted.length, logprob: history.logprobs[choice] ?? 0 }))
    this.#startedAtMs = history.startedAtMs
    this.#firstTokenAtMs = history.firstTokenAtMs
    this.#cachedTokens = [...history.cachedTokens]
    this.#isCachedEmitted = history.cachedTokens.map(tokens => tokens !== null)
  }

  /** Idempotent. @returns the `started` event the first time */
  start(nowMs: number): readonly StartedEvent[] {
    const isFirst = this.#startedAtMs === null && !this.history.isStarted
    this.#startedAtMs ??= nowMs
    return isFirst ? [{ kind: 'started', atMs: nowMs }] : []
  }

  /** Only the first prefill of a prompt counts. */
  countCached(promptIndex: number, tokens: number): void {
    this.#cachedTokens[promptIndex] ??= tokens
  }

  /** @returns the event to be emitted */
  countToken(event: GeneratedTokenEvent, nowMs: number): GeneratedTokenEvent {
    const isFirst = this.#firstTokenAtMs === null
    this.#firstTokenAtMs ??= nowMs
    const score = this.#scores[event.choice]
    invariant(score !== undefined, `request ${this.request.id} has no choice ${event.choice}`)
    score.tokens++
    score.logprob += event.score?.logprob ?? 0
    if (event.end !== null) this.#openChoices--
    const promptIndex = Math.floor(event.choice / this.request.choicesPerPrompt)
    const cachedTokens = this.#cachedTokens[promptIndex] ?? 0
    const emitsCached = this.#isCachedEmitted[promptIndex] !== true && cachedTokens > 0
    if (emitsCached) this.#isCachedEmitted[promptIndex] = true
    return { ...event, ...(emitsCached && { cachedTokens }), ...(isFirst && { atMs: nowMs }) }
  }

  /** Ends choices without a token (maxNewTokens 0). */
  closeChoices(count: number): void {
    this.#openChoices -= count
  }

  /** The terminal event once every choice has ended, else null. */
  finished(nowMs: number): FinishedEvent | null {
    if (this.#openChoices > 0) return null
    const { request } = this
    const timestamps = { startedAtMs: this.#startedAtMs, firstTokenAtMs: this.#firstTokenAtMs }
    const cachedTokens = this.#cachedTokens.reduce<number>((sum, tokens) => sum + (tokens ?? 0), 0)
    return toFinished({ request, scores: this.#scores, cachedTokens, ...timestamps }, nowMs)
  }
}
