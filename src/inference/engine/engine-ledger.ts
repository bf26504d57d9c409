import { type EngineDeeds, NO_DEEDS } from '../contract/statistics.ts'

/** What a run computes. */
export type RunWork = { readonly kind: 'prefill'; readonly tokens: number } | { readonly kind: 'decode'; readonly rows: number }

/** How a worker proves progress, and what it has done: when the run in flight began, how many have ended, and what they were. */
export class EngineLedger {
  readonly #now: () => number
  readonly #deeds = { ...NO_DEEDS }
  #startedAtMs: number | null = null

  /** @param now  Unix milliseconds */
  constructor(now: () => number) {
    this.#now = now
  }

  get stepsDone(): number {
    return this.#deeds.prefillRuns + this.#deeds.decodeRuns
  }

  /** Unix milliseconds; null between runs. */
  get startedAtMs(): number | null {
    return this.#startedAtMs
  }

  get deeds(): EngineDeeds {
    return { ...this.#deeds }
  }

  /** A prompt was looked for among kept prefixes. */
  reused(askedTokens: number, foundTokens: number): void {
    this.#deeds.prefixTokensAsked += askedTokens
    this.#deeds.prefixTokensFound += foundTokens
  }

  /** Runs, and writes it down, however it ends. */
  async time<Result>(work: RunWork, run: () => Promise<Result>): Promise<Result> {
    this.#startedAtMs = this.#now()
    const beganMs = performance.now()
    try {
      return await run()
    } finally {
      this.#startedAtMs = null
      this.#ran(work, performance.now() - beganMs)
    }
  }

  #ran(work: RunWork, tookMs: number): void {
    if (work.kind === 'prefill') {
      this.#deeds.prefillRuns++
      this.#deeds.prefillTokens += work.tokens
      this.#deeds.prefillMs += tookMs
    } else {
      this.#deeds.decodeRuns++
      this.#deeds.decodedRows += work.rows
      this.#deeds.decodeMs += tookMs
    }
  }
}
