import type { TokenText } from '../contract/token-text.ts'
import type { TokenCountBound } from './token-count-bound.ts'

/** Text to ids and back. */
export interface Tokenizer extends TokenText {
  /** Ids there are, 0 to this; some may have no text. */
  readonly vocabularySize: number
  /** null where nothing is known of how much text one token can stand for. */
  readonly bound: TokenCountBound | null
  /**
   * Ids of a text; control tokens written in it become their ids.
   *
   * @param options  `addSpecialTokens`: begin with the start token where the model wants one: the default
   */
  encode(text: string, options?: { readonly addSpecialTokens?: boolean }): number[]
}
