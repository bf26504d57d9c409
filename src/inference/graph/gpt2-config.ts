/** What a GPT-2 is made of: parsed once from the model's files. */
export interface Gpt2Config {
  readonly layers: number
  readonly hidden: number
  readonly heads: number
  readonly headDim: number
  readonly feedForward: number
  readonly vocabulary: number
  /** Learned positions: tokens, prompt and continuation together. */
  readonly context: number
  readonly normEpsilon: number
  /** `gelu-tanh` is GPT-2's own; some later models have the exact one. */
  readonly activation: 'gelu-tanh' | 'gelu'
  /** Queries × keys times this, one per layer. */
  readonly attentionScales: readonly number[]
}
