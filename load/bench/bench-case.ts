import type { PreparedModel } from '../../src/inference/model/prepared-model.ts'

/** One measurement, the same for every engine. Plain data: crosses IPC. */
export type BenchCase =
  /** A prompt of so many tokens, from nothing to the logits of its last. */
  | { readonly kind: 'prefill'; readonly tokens: number }
  /** `steps` times one token for each of `rows`, each with `past` positions before the first step. */
  | { readonly kind: 'decode'; readonly rows: number; readonly past: number; readonly steps: number }
  /** The whole engine on the model: what it adds to the native runs. Ours only. */
  | { readonly kind: 'engine'; readonly rows: number; readonly temperature: number; readonly steps: number }

/** Milliseconds, one entry for each prompt or step. */
export interface BenchSamples {
  readonly native: readonly number[]
  /** `engine` only: from the end of a native run to the start of the next. */
  readonly between: readonly number[]
}

/** What a side needs to know. Plain data: given as JSON. */
export interface SideOptions {
  readonly graph: Pick<PreparedModel, 'graphPath' | 'layers' | 'kvHeads' | 'headDim' | 'vocabularySize'>
  /** What the graph was made from; the peer reads it. */
  readonly weightsPath: string
  readonly threads: number
  readonly spinning: boolean
  readonly rows: number
  /** Positions that a row can hold. */
  readonly capacity: number
  readonly chunkTokens: number
  /** Where a llama.cpp of one's own has its programs; null: the one of load/peers. */
  readonly llamaBuild: string | null
}

/**
 * Why a comparison is not possible, or what the side runs on, and whether its samples are means over the steps of a
 * round.
 */
export type SideHello = { readonly missing: string } | { readonly versions: Readonly<Record<string, string>>; readonly meansOnly?: boolean }

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

/** Tokens that one sample stands for. */
export function tokensOf(what: BenchCase): number {
  return what.kind === 'prefill' ? what.tokens : what.rows
}
