import { ServiceError } from '../../contract/errors.ts'
import type { PairTable } from './merge-pairs.ts'

/**
 * Merges in the format of GPT-2's files: lines of `left right`, in order of rank.
 *
 * @throws {ServiceError} `unavailable` when a line names tokens that the vocabulary lacks
 */
export function mergeTable(merges: readonly string[], ids: ReadonlyMap<string, number>): PairTable {
  // Above every id: ids may have holes and then exceed the number of tokens.
  const stride = ids.values().reduce((most, tokenId) => Math.max(most, tokenId + 1), 1)
  const mergeOf = new Map<number, number>()
  const merged = Int32Array.from(merges, (line, merge) => {
    const space = line.indexOf(' ', 1)
    const [left, right] = [line.slice(0, space), line.slice(space + 1)]
    const [leftId, rightId, tokenId] = [ids.get(left), ids.get(right), ids.get(left + right)]
    if (space < 0 || leftId === undefined || rightId === undefined || tokenId === undefined) {
      throw new ServiceError('unavailable', `merge ${merge} of the tokenizer, ${JSON.stringify(line.slice(0, 80))}, names no known tokens`)
    }
    mergeOf.set(leftId * stride + rightId, merge)
    return tokenId
  })
  return {
    find: (left, right) => mergeOf.get(left * stride + right) ?? -1,
    rank: merge => merge,
    tokenId: merge => merged[merge] ?? 0
  }
}

/**
 * tiktoken's rule: two tokens merge when their concatenated bytes are a token; the lowest id merges first. `texts` have
 * one character per byte.
 */
export function rankTable(texts: readonly (string | undefined)[], ranks: ReadonlyMap<string, number>): PairTable {
  return {
    find: (left, right) => ranks.get(`${texts[left]}${texts[right]}`) ?? -1,
    rank: tokenId => tokenId,
    tokenId: tokenId => tokenId
  }
}

/** SentencePiece's rule: two tokens merge when their concatenated text is a token; the highest score merges first. */
export function scoreTable(
  tokens: readonly (string | undefined)[],
  scores: ArrayLike<number>,
  mayMerge: (tokenId: number) => boolean
): PairTable {
  const ids = new Map(tokens.map((token, tokenId) => [token, tokenId]))
  const distinct = [...new Set(tokens.map((_, tokenId) => scores[tokenId] ?? 0))].sort((a, b) => b - a)
  const rankOfScore = new Map(distinct.map((score, rank) => [score, rank]))
  const ranks = Int32Array.from(tokens, (_, tokenId) => rankOfScore.get(scores[tokenId] ?? 0) ?? 0)
  return {
    find: (left, right) => {
      const tokenId = ids.get(`${tokens[left]}${tokens[right]}`) ?? -1
      return tokenId >= 0 && mayMerge(tokenId) ? tokenId : -1
    },
    rank: tokenId => ranks[tokenId] ?? 0,
    tokenId: tokenId => tokenId
  }
}
