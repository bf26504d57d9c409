/** The dimensions of a Llama. */
export interface ModelShape {
  readonly layers: number
  readonly hidden: number
  readonly heads: number
  readonly kvHeads: number
  readonly feedForward: number
  readonly vocabulary: number
  readonly rotaryBase: number
  /** Whether the head is the token embedding. */
  readonly tied: boolean
}

export type ShapeName = '135m' | '1b' | '8b'

/** Sources: config.json of SmolLM2-135M, Llama 3.2 1B and Llama 3.1 8B. */
export const SHAPES: Readonly<Record<ShapeName, ModelShape>> = {
  '135m': { layers: 30, hidden: 576, heads: 9, kvHeads: 3, feedForward: 1536, vocabulary: 49_152, rotaryBase: 100_000, tied: true },
  '1b': { layers: 16, hidden: 2048, heads: 32, kvHeads: 8, feedForward: 8192, vocabulary: 128_256, rotaryBase: 500_000, tied: true },
  '8b': { layers: 32, hidden: 4096, heads: 32, kvHeads: 8, feedForward: 14_336, vocabulary: 128_256, rotaryBase: 500_000, tied: false }
}

export const SHAPE_NAMES = Object.keys(SHAPES) as readonly ShapeName[]

export function isShapeName(text: string): text is ShapeName {
  return Object.hasOwn(SHAPES, text)
}
