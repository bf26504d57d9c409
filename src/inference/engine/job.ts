import type { FinishedEvent, GeneratedTokenEvent } from '../contract/events.ts'
import { choiceCount, type GenerationRequest } from '../contract/request.ts'

/** What a request has used and what is still to come, over all its choices. */
export class Job {
  readonly request: GenerationRequest
  /** Set by cancel and by failure: results of runs in flight are dropped. */
  isOver = false
  #openChoices: number
  #completionTokens = 0
  #cachedTokens = 0
  #startedAtMs: number | null = null
  #firstTokenAtMs: number | null = null

  constructor(request: GenerationRequest) {
    this.request = request
    this.#openChoices = choiceCount(request)
  }

  /** @returns true the first time: something of the request is about to be computed */
  start(nowMs: number): boolean {
    if (this.#startedAtMs !== null) return false
    this.#startedAtMs = nowMs
    return true
  }

  countCached(tokens: number): void {
    this.#cachedTokens += tokens
  }

  countToken(event: GeneratedTokenEvent, nowMs: number): void {
    this.#firstTokenAtMs ??= nowMs
    this.#completionTokens++
    if (event.end !== null) this.#openChoices--
  }

  /** Choices that end without a token (maxNewTokens 0). */
  closeChoices(count: number): void {
    this.#openChoices -= count
  }

  /** The terminal event once every choice has ended, else null. */
  finished(nowMs: number): FinishedEvent | null {
    if (this.#openChoices > 0) return null
    const startedAtMs = this.#startedAtMs ?? nowMs
    const firstTokenAtMs = this.#firstTokenAtMs ?? nowMs
    return {
      kind: 'finished',
      usage: {
        promptTokens: this.request.prompts.reduce((sum, prompt) => sum + prompt.tokenIds.length, 0),
        completionTokens: this.#completionTokens,
        cachedTokens: this.#cachedTokens
      },
      timings: {
        queueMs: Math.max(0, startedAtMs - this.request.admittedAtMs),
        prefillMs: firstTokenAtMs - startedAtMs,
        decodeMs: nowMs - firstTokenAtMs
      }
    }
  }
}
