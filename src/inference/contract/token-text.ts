/** The tokenizer as the engine uses it: from ids to text. */
export interface TokenText {
  /** Ids below it can be drawn; some may have no text. */
  readonly vocabularySize: number
  /** Ids that end a text. */
  readonly endTokenIds: readonly number[]
  /**
   * The UTF-8 bytes that a token appends to a text, possibly a part of a character; empty for an id outside the
   * vocabulary.
   */
  bytes(tokenId: number): Uint8Array
  /** Whether it is a control token such as `<|im_end|>`, which is not part of generated text. */
  isSpecial(tokenId: number): boolean
  /** The control token with this text; null where there is none. */
  specialIdOf(text: string): number | null
  /** Creates a decoder for one text. */
  decoder(options: { readonly skipSpecial: boolean }): TextDecoderPort
}

/** Decodes a stream of tokens into text; never releases an incomplete character. */
export interface TextDecoderPort {
  /** The text that this token completes; empty while a character is incomplete. */
  push(tokenId: number): string
  /** An incomplete character at the end as U+FFFD; empty if there is none. */
  flush(): string
}

/** Unicode code points of a text. */
export function codePoints(text: string): number {
  let count = text.length
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit >= 0xdc00 && unit <= 0xdfff) count--
  }
  return count
}
