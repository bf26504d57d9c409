import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import type { StreamedText } from '../requests/streamed-completion.ts'

export interface Milliseconds {
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

export interface CountsReport {
  readonly seconds: number
  readonly requests: number
  readonly errors: number
  readonly errorsByKind: Readonly<Record<string, number>>
  readonly requestsPerSecond: number
  /** Tokens per second of all streams within the measured time. */
  readonly tokensPerSecond: number
  /** Time to the first event with text. */
  readonly ttftMs: Milliseconds | null
  /** Between two events with text of one stream. */
  readonly interTokenMs: Milliseconds | null
}

/** Counts and latencies of one level of load, in constant memory. */
export class Counts {
  readonly #startedAtMs: number
  readonly #ttft = createHistogram()
  readonly #gaps = createHistogram()
  readonly #errors = new Map<string, number>()
  #requests = 0
  #events = 0
  #finishedEvents = 0
  #finishedTokens = 0

  constructor(nowMs: number) {
    this.#startedAtMs = nowMs
  }

  firstText(afterMs: number): void {
    this.#events += 1
    record(this.#ttft, afterMs)
  }

  nextText(afterMs: number): void {
    this.#events += 1
    record(this.#gaps, afterMs)
  }

  finished(outcome: StreamedText): void {
    this.#requests += 1
    this.#finishedEvents += outcome.events
    this.#finishedTokens += outcome.completionTokens ?? outcome.events
  }

  failed(kind: string): void {
    this.#errors.set(kind, (this.#errors.get(kind) ?? 0) + 1)
  }

  report(nowMs: number): CountsReport {
    const seconds = (nowMs - this.#startedAtMs) / 1000
    const tokensPerEvent = this.#finishedEvents === 0 ? 1 : this.#finishedTokens / this.#finishedEvents
    return {
      seconds: rounded(seconds),
      requests: this.#requests,
      errors: [...this.#errors.values()].reduce((sum, count) => sum + count, 0),
      errorsByKind: Object.fromEntries(this.#errors),
      requestsPerSecond: rounded(this.#requests / seconds),
      tokensPerSecond: rounded((this.#events * tokensPerEvent) / seconds),
      ttftMs: milliseconds(this.#ttft),
      interTokenMs: milliseconds(this.#gaps)
    }
  }
}

/** Histograms count whole microseconds from 1. */
function record(histogram: RecordableHistogram, ms: number): void {
  histogram.record(Math.max(1, Math.round(ms * 1000)))
}

function milliseconds(histogram: RecordableHistogram): Milliseconds | null {
  if (histogram.count === 0) return null
  const at = (percent: number): number => rounded(histogram.percentile(percent) / 1000)
  return { p50: at(50), p90: at(90), p99: at(99), max: rounded(histogram.max / 1000) }
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100
}
