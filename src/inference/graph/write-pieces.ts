import { writeSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { invariant } from '../contract/invariant.ts'
import type { Fill, GraphPlan, RowFactor } from './graph-plan.ts'
import type { WrittenRange } from './range-checksum.ts'
import type { WeightSource } from './weight-source.ts'

/** Most weights of a piece: it bounds the memory of a thread, and is small enough for the processor's cache. */
const PIECE_ELEMENTS = 2 ** 20

/** A part of the data file that is written at once: given bytes, all of a fill, or consecutive rows of one matrix. */
type Piece =
  | { readonly fill: Extract<Fill, { kind: 'bytes' }> }
  | { readonly fill: PerChannelFill; readonly rows: number; readonly columns: number }
  | {
      readonly fill: MatrixFill
      readonly matrix: string
      readonly firstRow: number
      readonly rows: number
      readonly columns: number
      /** Rows of the fill in front of this piece. */
      readonly rowsBefore: number
    }
type PerChannelFill = Extract<Fill, { kind: 'perChannel' }>
type MatrixFill = Exclude<Fill, { kind: 'bytes' } | PerChannelFill>
type MatrixPiece = Extract<Piece, { matrix: string }>

/** An array at the offset that the first row of its fill has. */
type Placed = readonly [fillOffset: number, values: Uint8Array | Int8Array | Float32Array]

export interface WritePiecesOptions {
  /** Returns 0, 1, 2, … across all threads that write the same file: each piece is written by one of them. */
  readonly next: () => number
  /** Called after each piece. */
  readonly onPiece: (weights: number, ranges: readonly WrittenRange[]) => void
}

/** Number of weights in the data file. */
export function countWeights(plan: GraphPlan, source: Pick<WeightSource, 'info'>): number {
  return pieces(plan, source).reduce((sum, piece) => sum + weightsOf(piece), 0)
}

/**
 * Converts weights and writes them into the open data file. Several threads may do so at once, with equal plans: their
 * result does not depend on their number. Reading and writing block the thread.
 *
 * @throws errors of the file system and of the source
 */
export async function writePieces(
  descriptor: number,
  plan: GraphPlan,
  source: WeightSource,
  { next, onPiece }: WritePiecesOptions
): Promise<void> {
  const all = pieces(plan, source)
  for (let piece = all[next()]; piece !== undefined; piece = all[next()]) {
    onPiece(weightsOf(piece), await write(descriptor, piece, source, plan.factors))
  }
}

function weightsOf(piece: Piece): number {
  return 'rows' in piece ? piece.rows * piece.columns : 0
}

/** In the order of the file of weights, as far as the plan has it. */
function pieces({ fills }: GraphPlan, source: Pick<WeightSource, 'info'>): Piece[] {
  return fills.flatMap((fill): Piece[] => {
    if (fill.kind === 'bytes') return [{ fill }]
    if (fill.kind === 'perChannel') return [wholeFill(fill, source)]
    return matrixPieces(fill, source)
  })
}

function matrixPieces(fill: MatrixFill, source: Pick<WeightSource, 'info'>): MatrixPiece[] {
  const list: MatrixPiece[] = []
  let rowsBefore = 0
  for (const matrix of fill.matrices) {
    for (const [firstRow, rows, columns] of rowRanges(matrix, source)) {
      list.push({ fill, matrix, firstRow, rows, columns, rowsBefore })
      rowsBefore += rows
    }
  }
  return list
}

/** Its matrices are transposed as one: a part of them would be a few bytes in each row of the file. */
function wholeFill(fill: PerChannelFill, source: Pick<WeightSource, 'info'>): Extract<Piece, { fill: PerChannelFill }> {
  const ranges = fill.matrices.flatMap(matrix => [...rowRanges(matrix, source)])
  return { fill, rows: ranges.reduce((sum, [, rows]) => sum + rows, 0), columns: ranges[0]?.[2] ?? 0 }
}

/** All rows of a matrix, in ranges of at most `PIECE_ELEMENTS`. */
function* rowRanges(
  matrix: string,
  source: Pick<WeightSource, 'info'>
): Generator<readonly [firstRow: number, rows: number, columns: number]> {
  const info = source.info(matrix)
  invariant(info !== null, `the model has no weight ${matrix}`)
  const step = Math.max(1, Math.floor(PIECE_ELEMENTS / info.columns))
  for (let firstRow = 0; firstRow < info.rows; firstRow += step) {
    yield [firstRow, Math.min(step, info.rows - firstRow), info.columns]
  }
}

async function write(descriptor: number, piece: Piece, source: WeightSource, factors: GraphPlan['factors']): Promise<WrittenRange[]> {
  if (!('rows' in piece)) return [writeAt(descriptor, piece.fill.offset, piece.fill.bytes)]
  if (!('matrix' in piece)) {
    const placed = await convertPerChannel(piece, source, factors)
    return placed.map(([offset, values]) => writeAt(descriptor, offset, bytesOf(values)))
  }
  const { rows, rowsBefore } = piece
  return (await convert(piece, source, factors.get(piece.matrix))).map(([fillOffset, values]) => {
    const bytes = bytesOf(values)
    return writeAt(descriptor, fillOffset + rowsBefore * (bytes.length / rows), bytes)
  })
}

async function convert({ fill, matrix, firstRow, rows }: MatrixPiece, source: WeightSource, by: RowFactor | undefined): Promise<Placed[]> {
  switch (fill.kind) {
    case 'float32': {
      const values = await source.float32(matrix, firstRow, rows)
      multiplyRows(values, rows, firstRow, by)
      return [[fill.offset, values]]
    }
    case 'eightBit': {
      const { codes, scales, zeroPoints } = await source.eightBit(matrix, firstRow, rows, fill.blockElements)
      multiplyRows(scales, rows, firstRow, by)
      const points: Placed[] = fill.zeroPointsOffset === null ? [] : [[fill.zeroPointsOffset, zeroPoints]]
      return [[fill.codesOffset, codes], [fill.scalesOffset, scales], ...points]
    }
    case 'fourBit': {
      const { codes, scales, offsets } = await source.fourBit(matrix, firstRow, rows)
      multiplyRows(scales, rows, firstRow, by)
      if (offsets === null || fill.offsetsOffset === null)
        return [
          [fill.codesOffset, codes],
          [fill.scalesOffset, scales]
        ]
      multiplyRows(offsets, rows, firstRow, by)
      return [
        [fill.codesOffset, codes],
        [fill.scalesOffset, scales],
        [fill.offsetsOffset, offsets]
      ]
    }
    default:
      return fill satisfies never
  }
}

/** Codes are transposed in memory, where they take one byte per weight of the joined matrices. */
async function convertPerChannel(
  { fill, rows: outputs, columns: inputs }: Extract<Piece, { fill: PerChannelFill }>,
  source: WeightSource,
  factors: GraphPlan['factors']
): Promise<Placed[]> {
  const { matrices, exact: channels } = fill
  const codes = new Int8Array(outputs * inputs)
  const scales = new Float32Array(outputs)
  const exact = new Float32Array(outputs * channels.length)
  let output = 0
  for (const matrix of matrices) {
    for (const [firstRow, rows] of rowRanges(matrix, source)) {
      const part = await source.perChannel(matrix, firstRow, rows, channels)
      multiplyRows(part.scales, rows, firstRow, factors.get(matrix))
      multiplyRows(part.exact, rows, firstRow, factors.get(matrix))
      transpose(part.codes, rows, inputs, codes, outputs, output)
      scales.set(part.scales, output)
      exact.set(part.exact, output * channels.length)
      output += rows
    }
  }
  return [
    [fill.codesOffset, fill.codes === 'int8' ? codes : Uint8Array.from(codes, code => code + 128)],
    [fill.scalesOffset, scales.map(scale => scale / PEAK_STEPS)],
    [fill.exactOffset, exact]
  ]
}

/** Steps of an activation between 0 and the largest magnitude of its row. */
const PEAK_STEPS = 127
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

function bytesOf(values: Placed[1]): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

/** @param values  [rows, any] starting at row `first` of the matrix; changed in place */
function multiplyRows(values: Float32Array, rows: number, first: number, by: RowFactor | undefined): void {
  if (by === undefined) return
  const end = (Math.min(Math.max(by.rows - first, 0), rows) * values.length) / rows
  for (let index = 0; index < end; index++) values[index] = (values[index] ?? 0) * by.factor
}

function writeAt(descriptor: number, offset: number, bytes: Uint8Array): WrittenRange {
  let written = 0
  while (written < bytes.length) written += writeSync(descriptor, bytes, written, bytes.length - written, offset + written)
  return { offset, bytes: bytes.length, checksum: crc32(bytes) }
}
