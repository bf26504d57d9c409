export interface LogitsShape {
  /** V: rows of the model's embedding. */
  readonly columns: number
  /** The first of them that stand for a token: the others pad the embedding, and are neither drawn nor told. */
  readonly tokens: number
}

/** View of the tokens of row `index` of logits float32 [R, V]. */
export function logitsRow(logits: Float32Array, index: number, { columns, tokens }: LogitsShape): Float32Array {
  return logits.subarray(index * columns, index * columns + tokens)
}
