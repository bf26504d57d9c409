/** Name of the file of weights, beside the model. */
export const DATA_FILE = 'weights.bin'

/** Name of the model file. */
export const MODEL_FILE = 'model.onnx'

/** A graph decided in full, before any weight is read: plain data. */
export interface GraphPlan {
  /** An ONNX `ModelProto`, weights outside. */
  readonly model: Uint8Array
  /** Size of the file of weights. */
  readonly dataBytes: number
  /** What to write into it. */
  readonly fills: readonly Fill[]
  /** Matrices that are not written as the source has them. */
  readonly factors: ReadonlyMap<string, RowFactor>
}

/** The first rows of a matrix are written times a number. */
export interface RowFactor {
  readonly rows: number
  readonly factor: number
}

/** A place in the file of weights and what belongs there. Offsets in bytes; `matrices` are joined row after row. */
export type Fill =
  | { readonly kind: 'bytes'; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'float32'; readonly offset: number; readonly matrices: readonly string[] }
  | {
      readonly kind: 'eightBit'
      readonly matrices: readonly string[]
      readonly blockElements: number
      readonly codesOffset: number
      readonly scalesOffset: number
      /** null where 128 stands for zero everywhere. */
      readonly zeroPointsOffset: number | null
    }
