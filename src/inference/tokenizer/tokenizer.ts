import type { TokenText } from '../contract/token-text.ts'
import type { TokenCountBound } from './token-count-bound.ts'

/** Text to ids and back. */
export interface Tokenizer extends TokenText {
  /** null where nothing is known of how much text one token can stand for. */
  readonly bound: TokenCountBound | null
  /**
   * What is wrong with the files that it was made from, and what was done about it: a sentence each, for the operator.
   */
  readonly warnings: readonly string[]
  /**
   * Ids of a text; control tokens written in it become their ids.
   *
   * @param options  `addSpecialTokens`: begin with the start token where the model wants one: the default
   */
  encode(text: string, options?: { readonly addSpecialTokens?: boolean }): number[]
}
