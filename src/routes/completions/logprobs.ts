import type { TokenScore } from '../../inference/contract/events.ts'
import { LazyList } from '../wire/json/json-pieces.ts'
import { finite, type TokenName } from '../wire/response/logprob.ts'
import type { CompletionLogprobs } from './schema.ts'

type LazyLogprobs = { readonly [Field in keyof CompletionLogprobs]: LazyList<CompletionLogprobs[Field][number]> }

export function toCompletionLogprobs(scores: Iterable<TokenScore>, nameOf: TokenName): CompletionLogprobs {
  const { tokens, token_logprobs, top_logprobs, text_offset } = toLazyLogprobs(() => scores, nameOf)
  return { tokens: [...tokens], token_logprobs: [...token_logprobs], top_logprobs: [...top_logprobs], text_offset: [...text_offset] }
}

/** @param scores  called once for each of the four arrays, when it is serialized */
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
 * Keyed by text, so that tokens with the same text share an entry: the value of the generated token takes precedence
 * (lm-eval compares the two floats), then that of the most likely one. Texts come from the model: `Object.fromEntries`
 * makes even `__proto__` a plain key.
 */
function topLogprobs(score: TokenScore, own: number, nameOf: TokenName): Record<string, number> {
  const byName = new Map<string, number>()
  for (const alternative of score.top) {
    const name = nameOf(alternative)
    if (!byName.has(name)) byName.set(name, finite(alternative.logprob))
  }
  return Object.fromEntries(byName.set(nameOf(score), finite(own)))
}
