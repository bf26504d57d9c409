/** Text work that the API process needs; it runs off the event loop. */
export interface TextPort {
  readonly vocabularySize: number
  /** Token ids of a text, the model's start token included where the model wants one. Linear in the text's length, hostile texts too. */
  encode(text: string): Promise<readonly number[]>
  close(): Promise<void>
}
