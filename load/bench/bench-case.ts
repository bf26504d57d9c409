import type { PreparedModel } from '../../src/inference/model/prepared-model.ts'

/** One measurement, the same for every engine. Plain data: crosses IPC. */
export type BenchCase =
  /** A prompt of this many tokens, up to the logits of the last one. */
  | { readonly kind: 'prefill'; readonly tokens: number }
  /** `steps` steps with one token for each of `rows`; each row has `past` positions before the first step. */
  | { readonly kind: 'decode'; readonly rows: number; readonly past: number; readonly steps: number }
  /** Decode steps of the whole engine, to measure its overhead; everstream only. */
  | { readonly kind: 'engine'; readonly rows: number; readonly temperature: number; readonly steps: number }

/** Milliseconds, one entry for each prompt or step. */
export interface BenchSamples {
  readonly native: readonly number[]
  /** `engine` only: from the end of a native run to the start of the next. */
  readonly between: readonly number[]
}

/** Options of a process under measurement. Plain data: passed as JSON. */
export interface SideOptions {
  readonly graph: Pick<PreparedModel, 'graphPath' | 'layers' | 'kvHeads' | 'headDim' | 'vocabularySize' | 'cacheScales'>
  /** The file from which the graph was built; the peer reads it. */
  readonly weightsPath: string
  readonly threads: number
  readonly spinning: boolean
  readonly rows: number
  /** Positions of a row. */
  readonly capacity: number
  readonly chunkTokens: number
  /** Folder with the programs of a local llama.cpp build; null: the package in load/peers is used. */
  readonly llamaBuild: string | null
}

/**
 * The first message of a side: why it cannot run, or its versions, and whether its samples are means over the steps of
 * a round.
 */
export type SideReadiness =
  | { readonly missing: string }
  | { readonly versions: Readonly<Record<string, string>>; readonly meansOnly?: boolean }

export function caseName(what: BenchCase): string {
  switch (what.kind) {
    case 'prefill':
      return `prefill ${what.tokens}`
    case 'decode':
      return `decode ${what.rows} x ${what.past}`
    case 'engine':
      return `engine ${what.rows} t=${what.temperature}`
  }
}

/** Number of tokens per sample. */
export function tokensOf(what: BenchCase): number {
  return what.kind === 'prefill' ? what.tokens : what.rows
}

/** Rows that the case needs. */
export function rowsOf(what: BenchCase): number {
  return what.kind === 'prefill' ? 1 : what.rows
}

/** Prompt, steps, and one more for each row of the whole engine. */
const ENGINE_POSITIONS = 256

/** Positions that the case needs in each row: one decode step warms up. */
export function positionsOf(what: BenchCase): number {
  switch (what.kind) {
    case 'prefill':
      return what.tokens
    case 'decode':
      return what.past + what.steps + 1
    case 'engine':
      return ENGINE_POSITIONS
  }
}
