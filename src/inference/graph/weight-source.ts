/** How a matrix of weights lies, known without reading it. A vector is a matrix of one row. */
export interface MatrixInfo {
  /** Output features. */
  readonly rows: number
  /** Input features: neighbours in memory. */
  readonly columns: number
  /** Elements per 8-bit scale that keep what the file says: 16 or 32. */
  readonly blockElements: number
  /** The blocks need zero points; without them 128 stands for zero everywhere. */
  readonly hasZeroPoints: boolean
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

/** The weights of a model under our own names, read piece by piece so that no matrix need be whole in memory. */
export interface WeightSource {
  /** null if the model has no such matrix. */
  info(name: string): MatrixInfo | null
  /** float32 [rows, columns] */
  float32(name: string, firstRow: number, rows: number): Promise<Float32Array>
  /** `blockElements` divides the matrix's own. */
  eightBit(name: string, firstRow: number, rows: number, blockElements: number): Promise<EightBitRows>
}
