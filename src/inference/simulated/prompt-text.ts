import type { PromptEvent, TokenScore } from '../contract/events.ts'
import { LIMITS } from '../contract/limits.ts'
import { codePoints } from '../contract/token-text.ts'
import { scoreAt } from './made-up.ts'
import { simulatedBytes } from './vocabulary.ts'

/**
 * The text that each token of a prompt completes. An incomplete character is held back until the token that completes
 * it, or the last token.
 */
function releasedTexts(tokenIds: readonly number[]): string[] {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  return tokenIds.map((tokenId, index) => decoder.decode(simulatedBytes(tokenId), { stream: index < tokenIds.length - 1 }))
}

/** Unicode code points of a prompt's text. */
export function promptCodePoints(tokenIds: readonly number[]): number {
  return codePoints(releasedTexts(tokenIds).join(''))
}

/** The events of a prompt that is echoed. */
export function promptEvents(promptIndex: number, tokenIds: readonly number[], topLogprobs: number | null): PromptEvent[] {
  const texts = releasedTexts(tokenIds)
  const scores = topLogprobs === null ? null : promptScores(tokenIds, texts, topLogprobs)
  const events: PromptEvent[] = []
  for (let from = 0; from < tokenIds.length; from += LIMITS.promptEventTokens) {
    const to = from + LIMITS.promptEventTokens
    events.push({
      kind: 'prompt',
      promptIndex,
      tokenIds: tokenIds.slice(from, to),
      text: texts.slice(from, to).join(''),
      scores: scores === null ? null : scores.slice(from, to)
    })
  }
  return events
}

function promptScores(tokenIds: readonly number[], texts: readonly string[], topLogprobs: number): TokenScore[] {
  let offset = 0
  return tokenIds.map((tokenId, index) => {
    const score = scoreAt(tokenId, index, topLogprobs, offset)
    offset += codePoints(texts[index] ?? '')
    return index === 0 ? { ...score, logprob: null, top: [] } : score
  })
}
