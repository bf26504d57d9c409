/** Layout of a matrix of weights, known without reading it. A vector is a matrix of one row. */
export interface MatrixInfo {
  /** Output features. */
  readonly rows: number
  /** Input features, contiguous in memory. */
  readonly columns: number
  /** Elements per 8-bit scale with which the file's values are kept: 16 or 32. */
  readonly blockElements: number
  /** The blocks need zero points; without them the zero point is 128 everywhere. */
  readonly hasZeroPoints: boolean
  /** How the file's values are kept in 4 bits, with one scale per 32 elements; null if they need more bits. */
  readonly fourBit: { readonly hasOffsets: boolean } | null
}

/** Rows in 4 bits: value = (code - 8) × scale + offset, with one scale and offset per 32 elements of a row. */
export interface FourBitRows {
  /** [rows, columns / 2], two codes per byte, the first in the low bits */
  readonly codes: Uint8Array
  /** [rows, columns / 32] */
  readonly scales: Float32Array
  /** [rows, columns / 32]; null where all are 0 */
  readonly offsets: Float32Array | null
}

/** Rows in 8 bits: value = (code - zero point) × scale, one scale and zero point per block of a row. */
export interface EightBitRows {
  /** [rows, columns] */
  readonly codes: Uint8Array
  /** [rows, columns / blockElements] */
  readonly scales: Float32Array
  /** [rows, columns / blockElements] */
  readonly zeroPoints: Uint8Array
}

/** Rows in 8 bits with one scale each, apart from the columns that stay in float32. */
export interface PerChannelRows {
  /** [rows, columns]: value = code × scale of the row; 0 in the exact columns */
  readonly codes: Int8Array
  /** [rows] */
  readonly scales: Float32Array
  /** float32 [rows, exact columns] */
  readonly exact: Float32Array
}

/** The weights of a model by their names in the graph, read in pieces so that no matrix need fit in memory. */
export interface WeightSource {
  /** null if the model has no such matrix. */
  info(name: string): MatrixInfo | null
  /** float32 [rows, columns] */
  float32(name: string, firstRow: number, rows: number): Promise<Float32Array>
  /** @param blockElements  a divisor of the matrix's own `blockElements` */
  eightBit(name: string, firstRow: number, rows: number, blockElements: number): Promise<EightBitRows>
  fourBit(name: string, firstRow: number, rows: number): Promise<FourBitRows>
  /** @param exact  columns that stay in float32 */
  perChannel(name: string, firstRow: number, rows: number, exact: readonly number[]): Promise<PerChannelRows>
}
