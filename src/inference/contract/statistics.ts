/** How full an engine is at one moment. */
export interface EngineLoad {
  /** Rows that say a token in each step. */
  readonly decodingRows: number
  /** Prompts of claimed requests that no row has been given to. */
  readonly waitingPrompts: number
  /** Positions of the cache that are promised to sequences. */
  readonly reservedTokens: number
  /** Positions that finished prompts keep for reuse; they give way. */
  readonly retainedTokens: number
  /** Positions that both may fill together. */
  readonly budgetTokens: number
}

/** What an engine has done since its start: all of these only grow. */
export interface EngineDeeds {
  readonly prefillRuns: number
  /** Prompt tokens that were computed; those of reused prefixes are not. */
  readonly prefillTokens: number
  readonly prefillMs: number
  readonly decodeRuns: number
  /** Sum of the batch sizes of all decode runs. */
  readonly decodedRows: number
  readonly decodeMs: number
  /** Prompt tokens that were looked for among kept prefixes. */
  readonly prefixTokensAsked: number
  /** Those of them that were there. */
  readonly prefixTokensFound: number
}

/** Figures of one engine, for whoever watches it. Plain data: crosses IPC and Redis. */
export interface EngineStatistics {
  readonly load: EngineLoad
  readonly deeds: EngineDeeds
}

export const NO_LOAD: EngineLoad = { decodingRows: 0, waitingPrompts: 0, reservedTokens: 0, retainedTokens: 0, budgetTokens: 0 }

export const NO_DEEDS: EngineDeeds = {
  prefillRuns: 0,
  prefillTokens: 0,
  prefillMs: 0,
  decodeRuns: 0,
  decodedRows: 0,
  decodeMs: 0,
  prefixTokensAsked: 0,
  prefixTokensFound: 0
}

export function sumOfLoads(loads: readonly EngineLoad[]): EngineLoad {
  return loads.reduce(added, NO_LOAD)
}

export function sumOfDeeds(deeds: readonly EngineDeeds[]): EngineDeeds {
  return deeds.reduce(added, NO_DEEDS)
}

/** Field by field. */
function added<Figures extends EngineLoad | EngineDeeds>(sum: Figures, more: Figures): Figures {
  const total = { ...sum }
  for (const name of Object.keys(sum) as (keyof Figures)[]) Object.assign(total, { [name]: Number(sum[name]) + Number(more[name]) })
  return total
}
