/**
 * The specification of sampling: each filter and draw as plainly as possible, by sorting, with Math.exp, without
 * shortcuts. Property tests compare the optimized implementations in src/inference/sampling with it; where they differ,
 * this file is right. A new sampling parameter is added here first.
 */
import { PLAIN_SAMPLING, type SamplingParams } from '../../../src/inference/contract/sampling.ts'

export const NEUTRAL: SamplingParams = { ...PLAIN_SAMPLING, temperature: 1 }

export type FilterParams = Pick<SamplingParams, 'temperature' | 'topK' | 'topP' | 'minP'> & { readonly typicalP?: number }

export interface WeightedToken {
  readonly id: number
  readonly logit: number
  readonly weight: number
}

/** Candidates: the tokens that remain after all filters, most likely first. */
export function specifiedCandidates(logits: readonly number[], params: FilterParams): WeightedToken[] {
  const max = Math.max(...logits.filter(logit => !Number.isNaN(logit)))
  let tokens = logits
    .map((logit, id) => ({ id, logit, weight: Number.isNaN(logit) ? 0 : Math.exp((logit - max) / params.temperature) }))
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.logit - a.logit || a.id - b.id)
  tokens = tokens.filter(({ weight }) => weight >= params.minP)
  if (params.topK > 0) tokens = tokens.slice(0, params.topK)
  tokens = mostTypical(tokens, params.typicalP ?? 1).sort((a, b) => b.logit - a.logit || a.id - b.id)
  return firstThatWeigh(tokens, params.topP)
}

function mostTypical(tokens: readonly WeightedToken[], typicalP: number): WeightedToken[] {
  const total = weigh(tokens)
  const surprisal = ({ weight }: WeightedToken): number => -Math.log(weight / total)
  const expected = tokens.reduce((sum, token) => sum + (token.weight / total) * surprisal(token), 0)
  const distance = (token: WeightedToken): number => Math.abs(surprisal(token) - expected)
  return firstThatWeigh(
    tokens.toSorted((a, b) => distance(a) - distance(b) || a.id - b.id),
    typicalP
  )
}

function firstThatWeigh(tokens: readonly WeightedToken[], share: number): WeightedToken[] {
  if (share === 1) return [...tokens]
  const expected = share * weigh(tokens)
  let mass = 0
  const end = tokens.findIndex(({ weight }) => {
    mass += weight
    return mass >= expected
  })
  return end === -1 ? [...tokens] : tokens.slice(0, end + 1)
}

export function weigh(tokens: readonly WeightedToken[]): number {
  return tokens.reduce((sum, { weight }) => sum + weight, 0)
}

/** The draw after a filter: inverse CDF in the order of ids. `margin`: distance of the noise from another result. */
export function specifiedDraw(tokens: readonly WeightedToken[], noise: number): { readonly id: number; readonly margin: number } {
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

/**
 * The draw without top_k, typical_p and top_p: rejection sampling from upper bounds, which are the weights rounded up
 * to the next sixteenth of a halving, in the order of ids. `margin`: distance of the noise from another result.
 */
export function specifiedRejection(
  tokens: readonly WeightedToken[],
  temperature: number,
  noise: (attempt: number) => readonly [number, number]
): { readonly id: number; readonly margin: number } {
  const max = Math.max(...tokens.map(({ logit }) => logit))
  const bounds = tokens.map(token => {
    const halvings = (max - token.logit) / temperature / Math.LN2
    return { ...token, weight: 2 ** (-Math.floor(halvings * 16) / 16) }
  })
  let margin = 1
  for (let attempt = 0; ; attempt++) {
    const [index, acceptance] = noise(attempt)
    const drawn = specifiedDraw(bounds, index)
    const weight = tokens.find(({ id }) => id === drawn.id)?.weight ?? 0
    const bound = bounds.find(({ id }) => id === drawn.id)?.weight ?? 1
    margin = Math.min(margin, drawn.margin, Math.abs(acceptance - weight / bound))
    if (acceptance * bound < weight) return { id: drawn.id, margin }
  }
}
