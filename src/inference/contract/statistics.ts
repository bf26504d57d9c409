/** Gauges: the current occupancy of an engine. */
export interface EngineGauges {
  /** Rows that generate a token in each step. */
  readonly decodingRows: number
  /** Prompts of claimed requests without a row. */
  readonly waitingPrompts: number
  /** Positions of the cache that are reserved for sequences. */
  readonly reservedTokens: number
  /** Positions of stored prefixes and orphaned rows, which are dropped when reservations need their memory. */
  readonly retainedTokens: number
  /** Upper bound of reserved and retained positions together. */
  readonly budgetTokens: number
}

/** Monotonic counters of one engine since its start. */
export interface EngineCounters {
  readonly prefillRuns: number
  /** Prompt tokens that were computed; reused prefixes are not counted. */
  readonly prefillTokens: number
  readonly prefillMs: number
  readonly decodeRuns: number
  /** Sum of the batch sizes of all decode runs. */
  readonly decodedRows: number
  readonly decodeMs: number
  /** Prompt tokens that were looked up among stored prefixes. */
  readonly prefixTokensQueried: number
  /** Prompt tokens that were found there. */
  readonly prefixTokensFound: number
}

/** Plain data: crosses IPC and Redis. */
export interface EngineStatistics {
  readonly gauges: EngineGauges
  readonly counters: EngineCounters
}

export const ZERO_GAUGES: EngineGauges = { decodingRows: 0, waitingPrompts: 0, reservedTokens: 0, retainedTokens: 0, budgetTokens: 0 }

export const ZERO_COUNTERS: EngineCounters = {
  prefillRuns: 0,
  prefillTokens: 0,
  prefillMs: 0,
  decodeRuns: 0,
  decodedRows: 0,
  decodeMs: 0,
  prefixTokensQueried: 0,
  prefixTokensFound: 0
}

export function sumOfGauges(gauges: readonly EngineGauges[]): EngineGauges {
  return gauges.reduce(added, ZERO_GAUGES)
}

export function sumOfCounters(counters: readonly EngineCounters[]): EngineCounters {
  return counters.reduce(added, ZERO_COUNTERS)
}

/** Sums field by field. */
function added<Figures extends EngineGauges | EngineCounters>(sum: Figures, more: Figures): Figures {
  const total = { ...sum }
  for (const name of Object.keys(sum) as (keyof Figures)[]) Object.assign(total, { [name]: Number(sum[name]) + Number(more[name]) })
  return total
}
