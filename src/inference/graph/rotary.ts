/** Parameters of the angles by which attention rotates queries and keys. */
export interface RotaryConfig {
  /** Leading dimensions of a head that are rotated: even, at most headDim. */
  readonly dims: number
  readonly theta: number
  /** Divides all positions (linear scaling); 1 is none. */
  readonly positionDivisor: number
  /** One divisor per frequency (Llama 3): [dims / 2]; null is none. */
  readonly frequencyDivisors: readonly number[] | null
}

/** Most cosines in a graph, over all positions: 256 MiB. The largest published models have an eighth of that. */
const MAX_ROTARY_ANGLES = 2 ** 26

/** Cosines and sines of every position, float32 [context, dims / 2] each. */
export interface RotaryTable {
  readonly cos: Float32Array
  readonly sin: Float32Array
}

/**
 * Cosines and sines of the angles by which attention rotates queries and keys.
 * Frequencies and angles are rounded to float32 as in training; without it, distant positions differ visibly.
 *
 * Source: RoFormer, Su et al. 2021, section 3.2.2; Llama 3's divisors are stored in the model file.
 */
export function rotaryTable(rotary: RotaryConfig, context: number): RotaryTable {
  const half = rotary.dims / 2
  const frequencies = Float32Array.from({ length: half }, (_, i) => {
    const divisor = rotary.frequencyDivisors?.[i] ?? 1
    return 1 / (rotary.theta ** ((2 * i) / rotary.dims) * divisor * rotary.positionDivisor)
  })

  const cos = new Float32Array(context * half)
  const sin = new Float32Array(context * half)
  for (let position = 0; position < context; position++) {
    for (const [i, frequency] of frequencies.entries()) {
      const angle = Math.fround(position * frequency)
      cos[position * half + i] = Math.cos(angle)
      sin[position * half + i] = Math.sin(angle)
    }
  }
  return { cos, sin }
}

/** Why the attention kernel does not support such heads, or the tables are too large; null if neither. */
export function rotaryProblem(headDim: number, context: number, { dims }: RotaryConfig): string | null {
  if (headDim % 16 !== 0) return `heads have ${headDim} dimensions, must be a multiple of 16`
  if (dims % 16 !== 0) return `${dims} rotated dimensions, must be a multiple of 16`
  if (dims > headDim) return `${dims} rotated dimensions in heads of ${headDim}`
  if ((context * dims) / 2 > MAX_ROTARY_ANGLES) return `a context of ${context} with ${dims} rotated dimensions is too large`
  return null
}
