import { isTerminal, type LoggedEvent, type Timings } from '../../inference/contract/events.ts'
import { choiceCount, type GenerationRequest, promptTokensOf } from '../../inference/contract/request.ts'
import type { QueueEvent } from '../../queue/queue.ts'
import type { RequestMetrics } from './request-metrics.ts'

/** Records one request in the metrics as its log is read: each entry once, however often it is read. */
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

  /** Ordinal of the last counted entry; 0 if none. */
  get ordinal(): number {
    return this.#ordinal
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /**
   * @param nowMs  time at which the entries arrived, in Unix milliseconds; null if they are read later, so that
   *   latencies are unknown
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

  /** Tokens that arrive together share the time since the previous one equally. */
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
