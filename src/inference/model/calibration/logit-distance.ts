import type { LogitDistance } from './measure-task.ts'

/**
 * Compares the logits of the same positions.
 *
 * @param reference  float32 [positions, vocabularySize]
 * @param other      float32 [positions, vocabularySize]
 */
export function logitDistance(reference: Float32Array, other: Float32Array, vocabularySize: number): LogitDistance {
  const positions = reference.length / vocabularySize
  let [sum, same] = [0, 0]
  for (let position = 0; position < positions; position++) {
    const [from, to] = [position * vocabularySize, (position + 1) * vocabularySize]
    const [p, q] = [normalize(reference.subarray(from, to)), normalize(other.subarray(from, to))]
    for (let id = 0; id < vocabularySize; id++) {
      const difference = p.logit(id) - q.logit(id)
      sum += Math.exp(p.logit(id)) * difference
    }
    if (p.argmax === q.argmax) same++
  }
  return { meanKl: sum / positions, sameToken: same / positions }
}

/** Log-probabilities from logits, and the id of the largest. */
function normalize(logits: Float32Array): { readonly logit: (id: number) => number; readonly argmax: number } {
  let argmax = 0
  for (let id = 1; id < logits.length; id++) if ((logits[id] ?? 0) > (logits[argmax] ?? 0)) argmax = id
  const largest = logits[argmax] ?? 0
  let sum = 0
  for (const logit of logits) sum += Math.exp(logit - largest)
  const logSum = largest + Math.log(sum)
  return { logit: id => (logits[id] ?? 0) - logSum, argmax }
}
