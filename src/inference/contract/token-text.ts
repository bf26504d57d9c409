/** What the engine needs to know of a tokenizer: ids to text. */
export interface TokenText {
  /** Ids that can be drawn: 0 to this; some may have no text. */
  readonly vocabularySize: number
  /** Ids that end a text. */
  readonly endTokenIds: readonly number[]
  /**
   * The bytes that a token adds to a running text (UTF-8, perhaps a part of a character); none for an id outside the
   * vocabulary.
   */
  bytes(tokenId: number): Uint8Array
  /** Control tokens such as `<|im_end|>`: they are not part of generated text. */
  isSpecial(tokenId: number): boolean
  /** The control token that is written so; null where there is none. */
  specialIdOf(text: string): number | null
  /** A new decoder for one running text. */
  decoder(options: { readonly skipSpecial: boolean }): TextDecoderPort
}

/** Turns a stream of tokens into text; never releases half a character. */
export interface TextDecoderPort {
  /** The text that this token completes; empty while a character is still open. */
  push(tokenId: number): string
  /** What is still open at the end, as U+FFFD; empty if nothing is. */
  flush(): string
}
