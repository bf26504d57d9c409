import { Counter, Gauge, type Registry } from 'prom-client'
import {
  type EngineCounters,
  type EngineGauges,
  type EngineStatistics,
  sumOfCounters,
  sumOfGauges
} from '../../inference/contract/statistics.ts'
import type { QueueDepth } from '../../queue/queue.ts'

const SECOND_MS = 1000

/** Counters and gauges of all workers together, as of their last heartbeats. */
export class WorkerMetrics {
  readonly #model: { readonly model_name: string }
  readonly #gauges: readonly (readonly [Gauge<'model_name'>, (gauges: EngineGauges) => number])[]
  readonly #counters: readonly (readonly [Counter<'model_name'>, (counters: EngineCounters) => number])[]
  readonly #running: Gauge<'model_name'>
  readonly #waiting: Gauge<'model_name'>

  constructor(registry: Registry, modelName: string) {
    const common = { labelNames: ['model_name'] as const, registers: [registry] }
    const gauge = (name: string, help: string) => new Gauge({ name, help, ...common })
    const counter = (name: string, help: string) => new Counter({ name, help, ...common })
    this.#model = { model_name: modelName }
    this.#running = gauge('vllm:num_requests_running', 'Requests being processed by workers.')
    this.#waiting = gauge('vllm:num_requests_waiting', 'Requests waiting for a worker.')
    this.#gauges = [
      [gauge('vllm:kv_cache_usage_perc', 'Reserved share of the KV cache; 1 means all of it.'), usedShare],
      [gauge('everstream_decoding_rows', 'Rows that generate a token in each step.'), gauges => gauges.decodingRows],
      [gauge('everstream_waiting_prompts', 'Prompts at a worker that wait for a free row.'), gauges => gauges.waitingPrompts],
      [gauge('everstream_cache_reserved_tokens', 'KV cache positions reserved for running requests.'), gauges => gauges.reservedTokens],
      [gauge('everstream_cache_retained_tokens', 'KV cache positions that hold prefixes for reuse.'), gauges => gauges.retainedTokens],
      [gauge('everstream_cache_budget_tokens', 'Capacity of the KV cache in positions.'), gauges => gauges.budgetTokens]
    ]
    this.#counters = [
      [
        counter('vllm:prefix_cache_queries_total', 'Prompt tokens looked up in the prefix cache.'),
        counters => counters.prefixTokensQueried
      ],
      [counter('vllm:prefix_cache_hits_total', 'Prompt tokens found in the prefix cache.'), counters => counters.prefixTokensFound],
      [counter('everstream_prefill_runs_total', 'Computed prompt chunks.'), counters => counters.prefillRuns],
      [counter('everstream_prefill_tokens_total', 'Computed prompt tokens.'), counters => counters.prefillTokens],
      [counter('everstream_prefill_seconds_total', 'Time spent in prefill.'), counters => counters.prefillMs / SECOND_MS],
      [counter('everstream_decode_runs_total', 'Decode steps.'), counters => counters.decodeRuns],
      [
        counter('everstream_decode_rows_total', 'Rows of all decode steps; divided by the number of steps it is the mean batch size.'),
        counters => counters.decodedRows
      ],
      [counter('everstream_decode_seconds_total', 'Time spent in decode steps.'), counters => counters.decodeMs / SECOND_MS]
    ]
  }

  setDepth({ running, waiting }: QueueDepth): void {
    this.#running.set(this.#model, running)
    this.#waiting.set(this.#model, waiting)
  }

  /** @param statistics  the sums of their counters must be monotonic */
  setStatistics(statistics: readonly EngineStatistics[]): void {
    const gauges = sumOfGauges(statistics.map(({ gauges }) => gauges))
    const counters = sumOfCounters(statistics.map(({ counters }) => counters))
    for (const [gauge, read] of this.#gauges) gauge.set(this.#model, read(gauges))
    for (const [counter, read] of this.#counters) {
      counter.reset()
      counter.inc(this.#model, read(counters))
    }
  }
}

function usedShare({ reservedTokens, budgetTokens }: EngineGauges): number {
  return budgetTokens === 0 ? 0 : reservedTokens / budgetTokens
}
