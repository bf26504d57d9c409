import type { TokenScore } from '../../inference/contract/events.ts'
import { finite, type TokenName } from '../wire/logprob.ts'

/** OpenAI's `logprobs` of the completions API: four arrays of equal length. */
export interface LegacyLogprobs {
  readonly tokens: string[]
  /** null for the first token of an echoed prompt. */
  readonly token_logprobs: (number | null)[]
  /** The likeliest texts and the token's own; null where `token_logprobs` is. */
  readonly top_logprobs: (Record<string, number> | null)[]
  /** Unicode code points from the start of the prompt, with and without echo. */
  readonly text_offset: number[]
}

export function emptyLogprobs(): LegacyLogprobs {
  return { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] }
}

export function toLegacyLogprobs(scores: readonly TokenScore[], nameOf: TokenName): LegacyLogprobs {
  const logprobs = emptyLogprobs()
  for (const score of scores) {
    logprobs.tokens.push(nameOf(score))
    logprobs.token_logprobs.push(score.logprob === null ? null : finite(score.logprob))
    logprobs.top_logprobs.push(score.logprob === null ? null : topLogprobs(score, score.logprob, nameOf))
    logprobs.text_offset.push(score.textOffset)
  }
  return logprobs
}

export function appendLogprobs(to: LegacyLogprobs, from: LegacyLogprobs): void {
  to.tokens.push(...from.tokens)
  to.token_logprobs.push(...from.token_logprobs)
  to.top_logprobs.push(...from.top_logprobs)
  to.text_offset.push(...from.text_offset)
}

/**
 * Keyed by text, so tokens of the same text collapse: the token's own value stands before all, lm-eval compares the two floats; else the likeliest.
 * Texts are the model's: `Object.fromEntries` makes even `__proto__` a plain key.
 */
function topLogprobs(score: TokenScore, own: number, nameOf: TokenName): Record<string, number> {
  const byName = new Map<string, number>()
  for (const alternative of score.top) {
    const name = nameOf(alternative)
    if (!byName.has(name)) byName.set(name, finite(alternative.logprob))
  }
  return Object.fromEntries(byName.set(nameOf(score), finite(own)))
}
