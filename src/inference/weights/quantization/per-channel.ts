/** Rows of weights in 8 bits with one scale each, apart from the columns that stay in float32. */
export interface PerChannelRows {
  /** [rows, columns]: value = code × scale of the row; 0 in the columns of `exact` */
  readonly codes: Int8Array
  /** [rows] */
  readonly scales: Float32Array
  /** float32 [rows, exactColumns]: the columns kept exact, in the order in which they were named */
  readonly exact: Float32Array
}

const MAX_CODE = 127
/** Keeps the scale of a row of zeros finite. */
const SMALLEST_SCALE = 1e-30

/**
 * Rounds each row to 8 bits, symmetric around zero, by the largest magnitude among its columns that are not `exact`.
 *
 * @param values  float32 [rows, columns]
 * @param exact   columns that stay in float32
 */
export function toPerChannel(values: Float32Array, columns: number, exact: readonly number[]): PerChannelRows {
  const rows = values.length / columns
  const codes = new Int8Array(values.length)
  const scales = new Float32Array(rows)
  const kept = new Float32Array(rows * exact.length)
  for (let row = 0; row < rows; row++) {
    const from = row * columns
    const inner = values.slice(from, from + columns)
    for (const [at, column] of exact.entries()) {
      kept[row * exact.length + at] = inner[column] ?? 0
      inner[column] = 0
    }
    let largest = 0
    for (let column = 0; column < columns; column++) largest = Math.max(largest, Math.abs(inner[column] ?? 0))
    const scale = Math.fround(Math.max(largest / MAX_CODE, SMALLEST_SCALE))
    scales[row] = scale
    for (let column = 0; column < columns; column++) {
      const code = Math.round((inner[column] ?? 0) / scale)
      codes[from + column] = code > MAX_CODE ? MAX_CODE : code < -MAX_CODE ? -MAX_CODE : code
    }
  }
  return { codes, scales, exact: kept }
}
