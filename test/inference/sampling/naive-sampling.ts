import type { SamplingParams } from '../../../src/inference/contract/sampling.ts'

export const NEUTRAL: SamplingParams = {
  temperature: 1,
  topP: 1,
  topK: 0,
  minP: 0,
  presencePenalty: 0,
  frequencyPenalty: 0,
  logitBias: [],
  seed: 0
}

export interface WeightedToken {
  readonly id: number
  readonly logit: number
  readonly weight: number
}

/** The definition, by sorting, with Math.exp, and nothing skipped: the tokens that may be drawn, likeliest first. */
export function naiveCandidates(
  logits: readonly number[],
  params: Pick<SamplingParams, 'temperature' | 'topK' | 'topP' | 'minP'>
): WeightedToken[] {
  const max = Math.max(...logits.filter(logit => !Number.isNaN(logit)))
  let tokens = logits
    .map((logit, id) => ({ id, logit, weight: Number.isNaN(logit) ? 0 : Math.exp((logit - max) / params.temperature) }))
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.logit - a.logit || a.id - b.id)
  tokens = tokens.filter(({ weight }) => weight >= params.minP)
  if (params.topK > 0) tokens = tokens.slice(0, params.topK)
  if (params.topP === 1) return tokens
  const wanted = params.topP * weigh(tokens)
  let mass = 0
  const end = tokens.findIndex(({ weight }) => {
    mass += weight
    return mass >= wanted
  })
  return end === -1 ? tokens : tokens.slice(0, end + 1)
}

export function weigh(tokens: readonly WeightedToken[]): number {
  return tokens.reduce((sum, { weight }) => sum + weight, 0)
}

/** Inverse CDF in the order of ids. `margin`: how near, as a share of the whole, the noise came to another answer. */
export function naiveDraw(tokens: readonly WeightedToken[], noise: number): { readonly id: number; readonly margin: number } {
  const byId = [...tokens].sort((a, b) => a.id - b.id)
  const total = weigh(tokens)
  let before = 0
  for (const { id, weight } of byId) {
    const after = before + weight
    if (noise * total < after) return { id, margin: Math.min(Math.abs(noise - before / total), Math.abs(after / total - noise)) }
    before = after
  }
  return { id: byId.at(-1)?.id ?? -1, margin: 0 }
}
