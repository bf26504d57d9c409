import { promptAt } from './prompts.ts'

/** Fields of a body of POST /v1/completions. */
export interface CompletionBody {
  readonly model: string
  readonly prompt: string
  readonly max_tokens: number
  readonly temperature: number
  readonly top_p?: number
  readonly seed?: number
  readonly ignore_eos?: true
}

export interface WorkloadOptions {
  readonly model: string
  readonly maxTokens: number
  readonly ignoreEos: boolean
}

/**
 * Request number `index` of the workload: even ones are greedy, odd ones sampled with a seed of their own, so that
 * every text is reproducible.
 */
export function bodyAt(index: number, options: WorkloadOptions): CompletionBody {
  return {
    model: options.model,
    prompt: promptAt(index),
    max_tokens: options.maxTokens,
    ...(index % 2 === 0 ? { temperature: 0 } : { temperature: 0.8, top_p: 0.95, seed: 1000 + index }),
    ...(options.ignoreEos ? { ignore_eos: true } : {})
  }
}
