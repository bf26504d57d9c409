/** Name of the file of weights, in the model's folder. */
export const DATA_FILE = 'weights.bin'

/** Name of the model file. */
export const MODEL_FILE = 'model.onnx'

/** Name of the file of the same model with an int8 cache, over the same weights. */
export const INT8_CACHE_MODEL_FILE = 'model-int8-cache.onnx'

/** A complete graph before any weight is read. Plain data. */
export interface GraphPlan {
  /** An ONNX `ModelProto` with external weights. */
  readonly model: Uint8Array
  /** Size of the file of weights. */
  readonly dataBytes: number
  /** The content of that file. */
  readonly fills: readonly Fill[]
  /** Matrices that are multiplied when they are written. */
  readonly factors: ReadonlyMap<string, RowFactor>
  readonly reported: readonly ReportedActivation[]
}

/** An output besides those of a decoder: the sum of squares of each channel of an activation over all positions. */
export interface ReportedActivation {
  /** Name of the activation in the graph. */
  readonly activation: string
  /** Name of the output: float32 [values] */
  readonly name: string
  readonly values: number
}

/** The first `rows` rows of a matrix are multiplied by `factor`. */
export interface RowFactor {
  readonly rows: number
  readonly factor: number
}

/** A range of the file of weights and its content. Offsets in bytes; `matrices` are concatenated by rows. */
export type Fill =
  | { readonly kind: 'bytes'; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'float32'; readonly offset: number; readonly matrices: readonly string[] }
  | {
      readonly kind: 'eightBit'
      readonly matrices: readonly string[]
      readonly blockElements: number
      readonly codesOffset: number
      readonly scalesOffset: number
      /** null where the zero point is 128 everywhere. */
      readonly zeroPointsOffset: number | null
    }
  | {
      readonly kind: 'fourBit'
      readonly matrices: readonly string[]
      readonly codesOffset: number
      readonly scalesOffset: number
      /** null where all offsets are 0. */
      readonly offsetsOffset: number | null
    }
  | {
      readonly kind: 'perChannel'
      readonly matrices: readonly string[]
      /** Columns that stay in float32. */
      readonly exact: readonly number[]
      /** Unsigned codes have the zero point 128. */
      readonly codes: 'int8' | 'uint8'
      /** Transposed: [columns, rows] */
      readonly codesOffset: number
      readonly scalesOffset: number
      readonly exactOffset: number
    }
