import { z } from 'zod'
import { argmax } from '../../sampling/argmax.ts'

/** How far the predictions of one form of a model are from those of another, over the positions of a text. */
export const LogitDistance = z.strictObject({
  /** Mean Kullback-Leibler divergence of the distributions of the next token, in nats. */
  meanKl: z.number(),
  /** Share of positions at which the most likely token is the same. */
  sameToken: z.number()
})
export type LogitDistance = Readonly<z.infer<typeof LogitDistance>>

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
    const [p, q] = [logSoftmax(reference.subarray(from, to)), logSoftmax(other.subarray(from, to))]
    for (let id = 0; id < vocabularySize; id++) {
      const difference = p.logprob(id) - q.logprob(id)
      sum += Math.exp(p.logprob(id)) * difference
    }
    if (p.argmax === q.argmax) same++
  }
  return { meanKl: sum / positions, sameToken: same / positions }
}

/** Log-probabilities from logits, and the id of the largest. */
function logSoftmax(logits: Float32Array): { readonly logprob: (id: number) => number; readonly argmax: number } {
  const top = argmax(logits)
  const largest = logits[top] ?? 0
  let sum = 0
  for (const logit of logits) sum += Math.exp(logit - largest)
  const logSum = largest + Math.log(sum)
  return { logprob: id => (logits[id] ?? 0) - logSum, argmax: top }
}
