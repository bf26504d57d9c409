import type { RotaryConfig } from './llama-config.ts'

/** Cosines and sines of every position, float32 [context, dims / 2] each. */
export interface RotaryTable {
  readonly cos: Float32Array
  readonly sin: Float32Array
}

/**
 * The angles by which attention rotates queries and keys.
 * Frequencies and angles are rounded to float32 as in training (far positions differ visibly otherwise).
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
