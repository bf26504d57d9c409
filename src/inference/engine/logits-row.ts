/** View of row `index` of logits float32 [R, V]. */
export function logitsRow(logits: Float32Array, index: number, vocabularySize: number): Float32Array {
  return logits.subarray(index * vocabularySize, (index + 1) * vocabularySize)
}
