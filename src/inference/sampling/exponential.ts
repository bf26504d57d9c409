/** Table steps per halving. */
const STEPS = 32
/** Halvings in the table. */
const HALVINGS = 80

/** 1.5 × 2^52: a float64 of this size has no fraction, so adding and subtracting it rounds. Faster than Math.round. */
const ROUNDING = 6755399441055744

/** 2^(-k / STEPS), k = 0..STEPS × HALVINGS - 1. */
const POWERS = negativePowers()

/** The largest vocabulary for which `negligible` is within the table. */
export const MAX_VOCABULARY = 2 ** 20

/**
 * e^y for y in [-55, 0], relative error below 1e-14, four times as fast as Math.exp: sampling may compute one per token
 * of the vocabulary. Uses only IEEE 754 additions, multiplications and square roots: bit-identical on every machine and
 * JavaScript engine, unlike Math.exp (implementation-approximated in ECMA-262).
 *
 * Method: y = -(k / 32) ln 2 + z with |z| ≤ ln 2 / 64; a table for the first factor, the Taylor polynomial of degree 5
 * for e^z.
 */
export function exponential(y: number): number {
  const steps = y * (-STEPS / Math.LN2)
  const k = steps + ROUNDING - ROUNDING
  const z = (k - steps) * (Math.LN2 / STEPS)
  const square = z * z
  return (POWERS[k | 0] ?? 0) * (1 + z + square * (0.5 + z * (1 / 6) + square * (1 / 24 + z * (1 / 120))))
}

/**
 * Distance below the largest exponent at which tokens are skipped: the total weight of V tokens below it is less than
 * 2^-53 of the whole, i.e. less than the resolution of the noise.
 */
export function negligible(vocabularySize: number): number {
  return 53 * Math.LN2 + Math.log(vocabularySize)
}

/**
 * Sum of e^((logit - max) × inverseTemperature) over the logits that are at least `cut`, float64.
 * Two running sums: with one, each addition would depend on the previous one.
 */
export function sumExponentials(
  logits: Float32Array,
  max: number,
  inverseTemperature: number,
  cut: number,
  from: number,
  to: number
): number {
  let even = 0
  let odd = 0
  let index = from
  for (; index + 1 < to; index += 2) {
    const first = logits[index] ?? 0
    if (first >= cut) even += exponential((first - max) * inverseTemperature)
    const second = logits[index + 1] ?? 0
    if (second >= cut) odd += exponential((second - max) * inverseTemperature)
  }
  const last = index < to ? (logits[index] ?? 0) : Number.NaN
  if (last >= cut) even += exponential((last - max) * inverseTemperature)
  return even + odd
}

/**
 * Writes e^((logit - max) × inverseTemperature) of the first `count` logits. Two at a time, which prevents Maglev, V8's
 * mid-tier compiler, from inlining this loop into callers that run too rarely to be optimized (measured: 600 instead of
 * 135 µs for 49,152).
 */
export function exponentials(logits: Float32Array, count: number, max: number, inverseTemperature: number, into: Float64Array): void {
  let index = 0
  for (; index + 1 < count; index += 2) {
    into[index] = exponential(((logits[index] ?? 0) - max) * inverseTemperature)
    into[index + 1] = exponential(((logits[index + 1] ?? 0) - max) * inverseTemperature)
  }
  if (index < count) into[index] = exponential(((logits[index] ?? 0) - max) * inverseTemperature)
}

function negativePowers(): Float64Array {
  let root = 0.5
  for (let steps = 1; steps < STEPS; steps *= 2) root = Math.sqrt(root)
  const fractions = [1]
  for (let k = 1; k < STEPS; k++) fractions.push((fractions[k - 1] ?? 0) * root)
  return Float64Array.from({ length: STEPS * HALVINGS }, (_, k) => (fractions[k % STEPS] ?? 0) * 2 ** -Math.floor(k / STEPS))
}
