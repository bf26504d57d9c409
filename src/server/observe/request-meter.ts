import { isTerminal, type LoggedEvent, type Timings } from '../../inference/contract/events.ts'
import { choiceCount, type GenerationRequest, promptTokensOf } from '../../inference/contract/request.ts'
import type { QueueEvent } from '../../queue/queue.ts'
import type { RequestMetrics } from './request-metrics.ts'

/** Counts one request into the metrics while its log passes by, each entry once, whoever reads it and how often. */
export class RequestMeter {
  readonly #metrics: RequestMetrics
  readonly #request: GenerationRequest
  readonly #lastTokenAtMs = new Map<number, number>()
  #ordinal = 0
  #promptIsRead = false
  #hasFirstToken = false
  #generated = 0
  #stopped = 0
  #hasEnded = false

  constructor(request: GenerationRequest, metrics: RequestMetrics) {
    this.#request = request
    this.#metrics = metrics
  }

  /** Of the last entry that was counted; 0 for none. */
  get ordinal(): number {
    return this.#ordinal
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /**
   * @param nowMs  Unix milliseconds at which the entries came; null if they are not read as they come, and tell nothing
   *   of times
   */
  pass(entries: readonly QueueEvent[], nowMs: number | null): void {
    const tokens = new Map<number, number>()
    for (const { ordinal, event } of entries) {
      if (ordinal === null || ordinal <= this.#ordinal) continue
      this.#ordinal = ordinal
      if (event.kind === 'token') tokens.set(event.choice, (tokens.get(event.choice) ?? 0) + 1)
      if (event.kind === 'token' || event.kind === 'finished') this.#countTokens(event)
      if (nowMs !== null && tokens.size > 0) this.#observeFirstToken(nowMs - this.#request.admittedAtMs)
      if (isTerminal(event)) this.#end(event)
    }
    if (nowMs !== null) this.#observeTimings(tokens, nowMs)
  }

  #countTokens(event: Extract<LoggedEvent, { kind: 'token' | 'finished' }>): void {
    if (!this.#promptIsRead) {
      this.#promptIsRead = true
      this.#metrics.readPrompt(promptTokensOf(this.#request))
    }
    const known = event.kind === 'token' ? this.#generated + 1 : event.usage.completionTokens
    this.#metrics.generated(Math.max(0, known - this.#generated))
    this.#generated = Math.max(this.#generated, known)
    if (event.kind === 'token' && event.end?.reason === 'stop') this.#stopped++
  }

  #observeFirstToken(afterMs: number): void {
    if (this.#hasFirstToken) return
    this.#hasFirstToken = true
    this.#metrics.firstToken(afterMs)
  }

  /** Of tokens that come together, each is said to have taken its share. */
  #observeTimings(tokens: ReadonlyMap<number, number>, nowMs: number): void {
    for (const [choice, count] of tokens) {
      const lastMs = this.#lastTokenAtMs.get(choice)
      this.#lastTokenAtMs.set(choice, nowMs)
      if (lastMs === undefined) continue
      for (let token = 0; token < count; token++) this.#metrics.nextToken((nowMs - lastMs) / count)
    }
  }

  #end(event: Extract<LoggedEvent, { kind: 'finished' | 'failed' }>): void {
    this.#hasEnded = true
    const open = choiceCount(this.#request) - this.#stopped
    this.#metrics.ended('stop', this.#stopped)
    if (event.kind === 'finished') {
      this.#metrics.ended('length', open)
      this.#finish(event.timings)
      return
    }
    const { code } = event.failure
    this.#metrics.ended(code === 'cancelled' ? 'abort' : 'error', open)
    this.#metrics.failed(code)
  }

  #finish(timings: Timings): void {
    if (this.#generated > 0) this.#observeFirstToken(timings.queueMs + timings.prefillMs)
    this.#metrics.finished(timings)
  }
}
