import type { ScoredAlternative, TokenScore } from '../../contract/events.ts'
import type { TokenText } from '../../contract/token-text.ts'
import { tokenLabel } from '../../tokenizer/token-label.ts'

/** A score of ids and numbers. */
export interface NumericScore {
  readonly logprob: number | null
  readonly top: readonly { readonly tokenId: number; readonly logprob: number }[]
  readonly rank?: number
}

/** Adds the texts of the tokens. */
export function toTokenScore(score: NumericScore, tokenId: number, textOffset: number, text: TokenText): TokenScore {
  const top: ScoredAlternative[] = score.top.map(alternative => ({ ...alternative, text: tokenLabel(text, alternative.tokenId) }))
  return { ...score, tokenId, text: tokenLabel(text, tokenId), top, textOffset }
}
