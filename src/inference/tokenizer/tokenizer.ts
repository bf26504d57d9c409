import type { TokenText } from '../contract/token-text.ts'
import type { TokenCountBound } from './token-count-bound.ts'

/** Text to ids and back. */
export interface Tokenizer extends TokenText {
  /** Null when the length of text that one token can represent is unknown. */
  readonly bound: TokenCountBound | null
  /**
   * Problems found in the model's files and how they were handled, for the operator: one sentence each.
   */
  readonly warnings: readonly string[]
  /**
   * Ids of a text; control tokens that occur literally in it become their ids.
   *
   * @param options  `addSpecialTokens`: begin with the start token if the model requires one; true by default
   */
  encode(text: string, options?: { readonly addSpecialTokens?: boolean }): number[]
}
