import type { TokenScore } from '../contract/events.ts'
import type { GenerationRequest } from '../contract/request.ts'
import { isGreedy } from '../contract/sampling.ts'
import { SIMULATED_VOCABULARY_SIZE, simulatedLabel, wordToken } from './vocabulary.ts'

/** Odd, so that multiples of it reach every id of the vocabulary before one is repeated. */
const RANK_STRIDE = 37

/**
 * A 32-bit hash of everything that a choice's tokens depend on: prompt, seed and choice; at temperature 0 the prompt
 * alone, as for a greedy model.
 */
export function textKey(request: GenerationRequest, promptTokenIds: readonly number[], choice: number): number {
  let key = mix(0, promptTokenIds.length)
  for (const tokenId of promptTokenIds) key = mix(key, tokenId)
  if (isGreedy(request.sampling)) return key
  const { seed } = request.sampling
  return mix(mix(mix(key, seed >>> 0), Math.floor(seed / 2 ** 32) >>> 0), choice)
}

export function tokenAt(key: number, position: number): number {
  return wordToken(mix(key, position))
}

/**
 * A plausible score. Token and position determine the token's rank among the alternatives, 0 to 3; the rank determines
 * the log-probability, so that the token has the same value wherever it is listed.
 */
export function scoreAt(tokenId: number, position: number, topCount: number, textOffset: number): TokenScore {
  const rank = mix(tokenId, position) % 4
  return {
    tokenId,
    text: simulatedLabel(tokenId),
    logprob: logprobOfRank(rank),
    top: Array.from({ length: topCount }, (_, at) => {
      const steps = (at - rank + SIMULATED_VOCABULARY_SIZE) * RANK_STRIDE
      const alternative = (tokenId + steps) % SIMULATED_VOCABULARY_SIZE
      return { tokenId: alternative, text: simulatedLabel(alternative), logprob: logprobOfRank(at) }
    }),
    textOffset
  }
}

function logprobOfRank(rank: number): number {
  return -1 - rank
}

/** Source: the mixing steps of MurmurHash3 (Austin Appleby, public domain), finaliser included. */
function mix(hash: number, word: number): number {
  let mixed = Math.imul(word, 0xcc9e2d51)
  mixed = Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593) ^ hash
  mixed = Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
