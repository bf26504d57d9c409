import type { TokenText } from '../contract/token-text.ts'

/** Text to ids and back. */
export interface Tokenizer extends TokenText {
  /** What is wrong with the files that it was made from, and what was done about it: a sentence each, for the operator. */
  readonly warnings: readonly string[]
  /**
   * Ids of a text; control tokens written in it become their ids.
   *
   * @param options  `addSpecialTokens`: begin with the start token where the model wants one: the default
   */
  encode(text: string, options?: { readonly addSpecialTokens?: boolean }): number[]
}
