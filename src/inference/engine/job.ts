import type { FinishedEvent, GeneratedTokenEvent, StartedEvent } from '../contract/events.ts'
import type { History } from '../contract/history.ts'
import { invariant } from '../contract/invariant.ts'
import { toTimings } from '../contract/milestones.ts'
import { rankChoices } from '../contract/ranking.ts'
import { choiceCount, type GenerationRequest } from '../contract/request.ts'

/** What a request has used and what is still to come, over all its choices. */
export class Job {
  readonly request: GenerationRequest
  /** What was said of it before it came here. */
  readonly history: History
  /** Set by cancel and by failure: results of runs in flight are dropped. */
  isOver = false
  /** A run since it came here has computed something of it. */
  hasAdvanced = false
  #openChoices: number
  /** Of each choice. */
  readonly #scores: { tokens: number; logprob: number }[]
  /** Of each prompt; null until its first prefill has begun. */
  readonly #cachedTokens: (number | null)[]
  /** Of each prompt, whether the log knows its cached tokens. */
  readonly #hasToldCached: boolean[]
  #startedAtMs: number | null
  #firstTokenAtMs: number | null

  constructor(request: GenerationRequest, history: History) {
    this.request = request
    this.history = history
    this.#openChoices = choiceCount(request) - history.ended.filter(Boolean).length
    this.#scores = history.tokenIds.map((said, choice) => ({ tokens: said.length, logprob: history.logprobs[choice] ?? 0 }))
    this.#startedAtMs = history.startedAtMs
    this.#firstTokenAtMs = history.firstTokenAtMs
    this.#cachedTokens = [...history.cachedTokens]
    this.#hasToldCached = history.cachedTokens.map(tokens => tokens !== null)
  }

  /** @returns what the world is to learn of it: nothing the second time */
  start(nowMs: number): readonly StartedEvent[] {
    const isFirst = this.#startedAtMs === null && !this.history.isStarted
    this.#startedAtMs ??= nowMs
    return isFirst ? [{ kind: 'started', atMs: nowMs }] : []
  }

  /** What the first prefill of a prompt found cached is what counts. */
  countCached(promptIndex: number, tokens: number): void {
    this.#cachedTokens[promptIndex] ??= tokens
  }

  /** @returns the event as the world learns it */
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
    const tellsCached = this.#hasToldCached[promptIndex] !== true && cachedTokens > 0
    if (tellsCached) this.#hasToldCached[promptIndex] = true
    return { ...event, ...(tellsCached && { cachedTokens }), ...(isFirst && { atMs: nowMs }) }
  }

  /** Choices that end without a token (maxNewTokens 0). */
  closeChoices(count: number): void {
    this.#openChoices -= count
  }

  /** The terminal event once every choice has ended, else null. */
  finished(nowMs: number): FinishedEvent | null {
    if (this.#openChoices > 0) return null
    const ranking = rankChoices(this.request, this.#scores)
    return {
      kind: 'finished',
      usage: {
        promptTokens: this.request.prompts.reduce((sum, prompt) => sum + prompt.tokenIds.length, 0),
        completionTokens: this.#scores.reduce((sum, { tokens }) => sum + tokens, 0) * this.request.standsFor,
        cachedTokens: this.#cachedTokens.reduce<number>((sum, tokens) => sum + (tokens ?? 0), 0)
      },
      timings: toTimings(this.request.admittedAtMs, { startedAtMs: this.#startedAtMs, firstTokenAtMs: this.#firstTokenAtMs }, nowMs),
      ...(ranking !== null && { ranking })
    }
  }
}
