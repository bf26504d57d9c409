import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { ERROR_CODES, type ErrorCode } from '../../inference/contract/errors.ts'
import type { Timings } from '../../inference/contract/events.ts'

/** How a choice ended, with vLLM's names. */
export type FinishedReason = 'stop' | 'length' | 'abort' | 'error'

const FINISHED_REASONS: readonly FinishedReason[] = ['stop', 'length', 'abort', 'error']

/** vLLM's buckets, so that its dashboards work; those for tokens start lower, as steps of small models are short. */
const FIRST_TOKEN_SECONDS = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560
]
const TOKEN_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80]
const REQUEST_SECONDS = [0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680]

/** Tokens, outcomes and latencies of requests. Names are vLLM's where it has the metric. */
export class RequestMetrics {
  readonly #model: { readonly model_name: string }
  readonly #promptTokens: Counter<'model_name'>
  readonly #generationTokens: Counter<'model_name'>
  readonly #success: Counter<'model_name' | 'finished_reason'>
  readonly #failures: Counter<'model_name' | 'code'>
  readonly #resumes: Counter<'model_name'>
  readonly #readers: Gauge<'model_name'>
  readonly #firstToken: Histogram<'model_name'>
  readonly #interToken: Histogram<'model_name'>
  readonly #whole: Histogram<'model_name'>
  readonly #queue: Histogram<'model_name'>
  readonly #prefill: Histogram<'model_name'>
  readonly #decode: Histogram<'model_name'>

  constructor(registry: Registry, modelName: string) {
    const labelNames = ['model_name'] as const
    const registers = [registry]
    const counter = (name: string, help: string) => new Counter({ name, help, labelNames, registers })
    const seconds = (name: string, help: string, buckets: number[]) => new Histogram({ name, help, labelNames, registers, buckets })
    this.#model = { model_name: modelName }
    this.#promptTokens = counter(
      'vllm:prompt_tokens_total',
      'Prompt tokens of requests that have generated a token, cached prefixes included.'
    )
    this.#generationTokens = counter('vllm:generation_tokens_total', 'Generated tokens.')
    this.#success = new Counter({
      name: 'vllm:request_success_total',
      help: 'Choices that have ended, by reason.',
      labelNames: ['model_name', 'finished_reason'],
      registers
    })
    this.#failures = new Counter({
      name: 'everstream_request_failures_total',
      help: 'Admitted requests that failed, by error code.',
      labelNames: ['model_name', 'code'],
      registers
    })
    this.#resumes = counter('everstream_stream_resumes_total', 'Streams that a client resumed after an event.')
    this.#readers = new Gauge({
      name: 'everstream_streams_open',
      help: 'Clients that are reading a request, streaming or not.',
      labelNames,
      registers
    })
    this.#firstToken = seconds(
      'vllm:time_to_first_token_seconds',
      'Time from the arrival of a request to its first token.',
      FIRST_TOKEN_SECONDS
    )
    this.#interToken = seconds(
      'vllm:inter_token_latency_seconds',
      'Time between two tokens of a choice, as sent to the client.',
      TOKEN_SECONDS
    )
    this.#whole = seconds('vllm:e2e_request_latency_seconds', 'Time from the arrival of a request to its end.', REQUEST_SECONDS)
    this.#queue = seconds('vllm:request_queue_time_seconds', 'Time that a request waited for a worker.', REQUEST_SECONDS)
    this.#prefill = seconds(
      'vllm:request_prefill_time_seconds',
      'Time from the first step of a request to its first token.',
      REQUEST_SECONDS
    )
    this.#decode = seconds('vllm:request_decode_time_seconds', 'Time from the first token of a request to its end.', REQUEST_SECONDS)
    this.#initialize()
  }

  readPrompt(tokens: number): void {
    this.#promptTokens.inc(this.#model, tokens)
  }

  generated(tokens: number): void {
    this.#generationTokens.inc(this.#model, tokens)
  }

  firstToken(afterMs: number): void {
    this.#firstToken.observe(this.#model, Math.max(0, afterMs) / 1000)
  }

  nextToken(afterMs: number): void {
    this.#interToken.observe(this.#model, Math.max(0, afterMs) / 1000)
  }

  ended(reason: FinishedReason, choices: number): void {
    if (choices > 0) this.#success.inc({ ...this.#model, finished_reason: reason }, choices)
  }

  finished({ queueMs, prefillMs, decodeMs }: Timings): void {
    this.#whole.observe(this.#model, (queueMs + prefillMs + decodeMs) / 1000)
    this.#queue.observe(this.#model, queueMs / 1000)
    this.#prefill.observe(this.#model, prefillMs / 1000)
    this.#decode.observe(this.#model, decodeMs / 1000)
  }

  failed(code: ErrorCode): void {
    this.#failures.inc({ ...this.#model, code })
  }

  resumed(): void {
    this.#resumes.inc(this.#model)
  }

  readers(change: 1 | -1): void {
    this.#readers.inc(this.#model, change)
  }

  /** Exposes every series from the start, so that its first increase is visible to `rate()`. */
  #initialize(): void {
    for (const counter of [this.#promptTokens, this.#generationTokens, this.#resumes, this.#readers]) counter.inc(this.#model, 0)
    for (const histogram of [this.#firstToken, this.#interToken, this.#whole, this.#queue, this.#prefill, this.#decode])
      histogram.zero(this.#model)
    for (const reason of FINISHED_REASONS) this.#success.inc({ ...this.#model, finished_reason: reason }, 0)
    for (const code of ERROR_CODES) this.#failures.inc({ ...this.#model, code }, 0)
  }
}
