import type { TokenText } from '../contract/token-text.ts'

/** Text to ids and back. */
export interface Tokenizer extends TokenText {
  /** Ids there are, 0 to this; some may have no text. */
  readonly vocabularySize: number
  /** Ids of a text, the model's start token included where the model wants one. Control tokens written in the text become their ids. */
  encode(text: string): number[]
}
