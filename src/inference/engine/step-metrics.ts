import { type EngineCounters, ZERO_COUNTERS } from '../contract/statistics.ts'
import type { DecodePlan, PrefillPlan } from '../scheduler/plan-step.ts'

/** Counts and times runs, for the engine's counters and as its proof of progress. */
export class StepMetrics {
  readonly #now: () => number
  readonly #counters = { ...ZERO_COUNTERS }
  #startedAtMs: number | null = null

  /** @param now  Unix milliseconds */
  constructor(now: () => number) {
    this.#now = now
  }

  get stepsDone(): number {
    return this.#counters.prefillRuns + this.#counters.decodeRuns
  }

  /** Start of the run in flight, Unix milliseconds; null between runs. */
  get startedAtMs(): number | null {
    return this.#startedAtMs
  }

  get counters(): EngineCounters {
    return { ...this.#counters }
  }

  /** Counts a lookup of a prompt among stored prefixes. */
  countReuse(queriedTokens: number, foundTokens: number): void {
    this.#counters.prefixTokensQueried += queriedTokens
    this.#counters.prefixTokensFound += foundTokens
  }

  /** Counts and times a run, also one that fails. */
  async time<Result>(plan: PrefillPlan | DecodePlan, run: () => Promise<Result>): Promise<Result> {
    this.#startedAtMs = this.#now()
    const beganMs = performance.now()
    try {
      return await run()
    } finally {
      this.#startedAtMs = null
      this.#count(plan, performance.now() - beganMs)
    }
  }

  #count(plan: PrefillPlan | DecodePlan, elapsedMs: number): void {
    if (plan.kind === 'prefill') {
      this.#counters.prefillRuns++
      this.#counters.prefillTokens += plan.to - plan.from
      this.#counters.prefillMs += elapsedMs
    } else {
      this.#counters.decodeRuns++
      this.#counters.decodedRows += plan.rows
      this.#counters.decodeMs += elapsedMs
    }
  }
}
