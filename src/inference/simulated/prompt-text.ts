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

export interface PromptPiece {
  readonly event: PromptEvent
  readonly isLast: boolean
}

/**
 * The events of a prompt that is echoed, each computed when it is requested. A prompt is always cut at the same
 * positions.
 *
 * @param emitted  tokens of the prompt whose events are left out
 */
export function* promptEvents(
  promptIndex: number,
  tokenIds: readonly number[],
  topLogprobs: number | null,
  emitted: number
): Generator<PromptPiece, void, undefined> {
  const texts = releasedTexts(tokenIds)
  let offset = 0
  for (let from = 0; from < tokenIds.length; from += LIMITS.promptEventTokens) {
    const piece = tokenIds.slice(from, from + LIMITS.promptEventTokens)
    const text = texts.slice(from, from + LIMITS.promptEventTokens)
    if (from + piece.length > emitted) {
      const scores = topLogprobs === null ? null : promptScores(piece, text, { from, offset, topLogprobs })
      const isLast = from + piece.length === tokenIds.length
      yield { event: { kind: 'prompt', promptIndex, tokenIds: piece, text: text.join(''), scores }, isLast }
    }
    offset += codePoints(text.join(''))
  }
}

/** @param offset  code points of the prompt in front of these tokens */
function promptScores(
  tokenIds: readonly number[],
  texts: readonly string[],
  { from, offset, topLogprobs }: { readonly from: number; readonly offset: number; readonly topLogprobs: number }
): TokenScore[] {
  let textOffset = offset
  return tokenIds.map((tokenId, index) => {
    const score = scoreAt(tokenId, from + index, topLogprobs, textOffset)
    textOffset += codePoints(texts[index] ?? '')
    return from + index === 0 ? { ...score, logprob: null, top: [] } : score
  })
}
