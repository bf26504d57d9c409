import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { invariant } from '../contract/invariant.ts'
import { DATA_FILE, type Fill, type GraphPlan, MODEL_FILE, type RowFactor } from './graph-plan.ts'
import type { WeightSource } from './weight-source.ts'

/** Most weights in memory at once, as float32. */
const CHUNK_ELEMENTS = 2 ** 22

/**
 * Writes the model and its weights into an existing folder, one chunk of rows at a time, and syncs them to disk.
 *
 * @param onProgress  called with the fraction done, 0 to 1
 * @throws errors of the file system and of the source; the folder's content is then incomplete
 */
export async function writeGraph(
  folder: string,
  plan: GraphPlan,
  source: WeightSource,
  onProgress: (fraction: number) => void
): Promise<void> {
  await using data = await open(join(folder, DATA_FILE), 'w')
  await data.truncate(plan.dataBytes)
  for (const [done, fill] of plan.fills.entries()) {
    onProgress(done / plan.fills.length)
    await write(data, fill, source, plan.factors)
  }
  await data.sync()

  await using model = await open(join(folder, MODEL_FILE), 'w')
  await writeAt(model, 0, plan.model)
  await model.sync()
  onProgress(1)
}

async function write(file: FileHandle, fill: Fill, source: WeightSource, factors: GraphPlan['factors']): Promise<void> {
  switch (fill.kind) {
    case 'bytes':
      return writeAt(file, fill.offset, fill.bytes)
    case 'float32': {
      let at = fill.offset
      for (const [matrix, first, count] of chunks(fill.matrices, source)) {
        const values = await source.float32(matrix, first, count)
        multiplyRows(values, count, first, factors.get(matrix))
        at += await writeArray(file, at, values)
      }
      return
    }
    case 'eightBit': {
      let [codesAt, scalesAt, zeroPointsAt] = [fill.codesOffset, fill.scalesOffset, fill.zeroPointsOffset]
      for (const [matrix, first, count] of chunks(fill.matrices, source)) {
        const rows = await source.eightBit(matrix, first, count, fill.blockElements)
        multiplyRows(rows.scales, count, first, factors.get(matrix))
        codesAt += await writeArray(file, codesAt, rows.codes)
        scalesAt += await writeArray(file, scalesAt, rows.scales)
        if (zeroPointsAt !== null) zeroPointsAt += await writeArray(file, zeroPointsAt, rows.zeroPoints)
      }
      return
    }
    case 'perChannel':
      return writePerChannel(file, fill, source, factors)
    default:
      fill satisfies never
  }
}

/** Codes are transposed in memory, one byte per weight of the joined matrices, and written at once. */
async function writePerChannel(
  file: FileHandle,
  { matrices, exact, codesOffset, scalesOffset, exactOffset }: Extract<Fill, { kind: 'perChannel' }>,
  source: WeightSource,
  factors: GraphPlan['factors']
): Promise<void> {
  const infos = matrices.map(matrix => source.info(matrix))
  const outputs = infos.reduce((sum, info) => sum + (info?.rows ?? 0), 0)
  const inputs = infos[0]?.columns ?? 0
  const transposed = new Int8Array(outputs * inputs)
  let [scalesAt, exactAt, output] = [scalesOffset, exactOffset, 0]
  for (const [matrix, first, count] of chunks(matrices, source)) {
    const rows = await source.perChannel(matrix, first, count, exact)
    multiplyRows(rows.scales, count, first, factors.get(matrix))
    multiplyRows(rows.exact, count, first, factors.get(matrix))
    scalesAt += await writeArray(
      file,
      scalesAt,
      rows.scales.map(scale => scale / 127)
    )
    exactAt += await writeArray(file, exactAt, rows.exact)
    transpose(rows.codes, count, inputs, transposed, outputs, output)
    output += count
  }
  await writeArray(file, codesOffset, transposed)
}

/** Rows per tile of a transposition: a column of the tile is one cache line. */
const TILE_ROWS = 64

/** Copies `from` [rows, columns] into columns `first`.. of `to` [columns, width]. */
function transpose(from: Int8Array, rows: number, columns: number, to: Int8Array, width: number, first: number): void {
  for (let tile = 0; tile < rows; tile += TILE_ROWS) {
    const end = Math.min(rows, tile + TILE_ROWS)
    for (let column = 0; column < columns; column++) {
      const at = column * width + first
      for (let row = tile; row < end; row++) to[at + row] = from[row * columns + column] ?? 0
    }
  }
}

/** All rows of these matrices, in pieces of bounded size. */
function* chunks(matrices: readonly string[], source: WeightSource): Generator<[matrix: string, firstRow: number, rows: number]> {
  for (const matrix of matrices) {
    const info = source.info(matrix)
    invariant(info !== null, `the model has no weight ${matrix}`)
    const step = Math.max(1, Math.floor(CHUNK_ELEMENTS / info.columns))
    for (let first = 0; first < info.rows; first += step) yield [matrix, first, Math.min(step, info.rows - first)]
  }
}

/** @param values  [rows, any] starting at row `first` of the matrix; changed in place */
function multiplyRows(values: Float32Array, rows: number, first: number, by: RowFactor | undefined): void {
  if (by === undefined) return
  const end = (Math.min(Math.max(by.rows - first, 0), rows) * values.length) / rows
  for (let index = 0; index < end; index++) values[index] = (values[index] ?? 0) * by.factor
}

async function writeArray(file: FileHandle, offset: number, values: Uint8Array | Int8Array | Float32Array): Promise<number> {
  await writeAt(file, offset, new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
  return values.byteLength
}

async function writeAt(file: FileHandle, offset: number, bytes: Uint8Array): Promise<void> {
  let written = 0
  while (written < bytes.length) {
    const result = await file.write(bytes, written, bytes.length - written, offset + written)
    written += result.bytesWritten
  }
}
