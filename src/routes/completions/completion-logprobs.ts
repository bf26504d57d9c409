import type { TokenScore } from '../../inference/contract/events.ts'
import { LazyList } from '../wire/json-pieces.ts'
import { finite, type TokenName } from '../wire/logprob.ts'

/** OpenAI's `logprobs` of the completions API: four arrays of equal length. */
export interface CompletionLogprobs {
  readonly tokens: readonly string[]
  /** null for the first token of an echoed prompt. */
  readonly token_logprobs: readonly (number | null)[]
  /** The likeliest texts and the token's own; null where `token_logprobs` is. */
  readonly top_logprobs: readonly (Record<string, number> | null)[]
  /** Unicode code points from the start of the prompt, with and without echo. */
  readonly text_offset: readonly number[]
}

/** The same of a whole answer. */
export type LazyLogprobs = { readonly [Field in keyof CompletionLogprobs]: LazyList<CompletionLogprobs[Field][number]> }

export function toCompletionLogprobs(scores: Iterable<TokenScore>, nameOf: TokenName): CompletionLogprobs {
  const { tokens, token_logprobs, top_logprobs, text_offset } = toLazyLogprobs(() => scores, nameOf)
  return { tokens: [...tokens], token_logprobs: [...token_logprobs], top_logprobs: [...top_logprobs], text_offset: [...text_offset] }
}

/** @param scores  called for each of the arrays as it is written */
export function toLazyLogprobs(scores: () => Iterable<TokenScore>, nameOf: TokenName): LazyLogprobs {
  const listOf = <Item>(itemOf: (score: TokenScore) => Item) => new LazyList(() => mapped(scores(), itemOf))
  return {
    tokens: listOf(nameOf),
    token_logprobs: listOf(({ logprob }) => (logprob === null ? null : finite(logprob))),
    top_logprobs: listOf(score => (score.logprob === null ? null : topLogprobs(score, score.logprob, nameOf))),
    text_offset: listOf(({ textOffset }) => textOffset)
  }
}

function* mapped<Item, Result>(items: Iterable<Item>, resultOf: (item: Item) => Result): Generator<Result, void> {
  for (const item of items) yield resultOf(item)
}

/**
 * Keyed by text, so tokens of the same text collapse: the token's own value stands before all, lm-eval compares the two
 * floats; else the likeliest. Texts are the model's: `Object.fromEntries` makes even `__proto__` a plain key.
 */
function topLogprobs(score: TokenScore, own: number, nameOf: TokenName): Record<string, number> {
  const byName = new Map<string, number>()
  for (const alternative of score.top) {
    const name = nameOf(alternative)
    if (!byName.has(name)) byName.set(name, finite(alternative.logprob))
  }
  return Object.fromEntries(byName.set(nameOf(score), finite(own)))
}
