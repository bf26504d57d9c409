/** What a Llama is made of: parsed once from the model's files. */
export interface LlamaConfig {
  readonly layers: number
  readonly hidden: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly feedForward: number
  readonly vocabulary: number
  /** Tokens, prompt and continuation together. */
  readonly context: number
  readonly rmsEpsilon: number
  readonly rotary: RotaryConfig
}

export interface RotaryConfig {
  /** Leading dimensions of a head that are rotated: even, at most headDim. */
  readonly dims: number
  readonly theta: number
  /** Divides every position: linear scaling; 1 is none. */
  readonly positionDivisor: number
  /** Divide the frequencies one by one (Llama 3): [dims / 2]; null is none. */
  readonly frequencyDivisors: readonly number[] | null
}
