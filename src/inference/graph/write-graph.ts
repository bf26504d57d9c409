import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { DATA_FILE, type GraphPlan, MODEL_FILE } from './graph-plan.ts'
import { checksumOfRanges, type WrittenRange } from './range-checksum.ts'
import type { WeightSource } from './weight-source.ts'
import { writePieces } from './write-pieces.ts'

/** CRC-32 of the two files of a graph. */
export interface GraphChecksums {
  readonly modelChecksum: number
  readonly dataChecksum: number
}

/** Writes all weights into the open data file, which has its size already. */
export type WriteData = (descriptor: number) => Promise<readonly WrittenRange[]>

/**
 * Writes the model and its weights into an existing folder, and syncs them to disk.
 *
 * @throws errors of the file system and of `writeData`; the folder's content is then incomplete
 */
export async function writeGraph(folder: string, plan: GraphPlan, writeData: WriteData): Promise<GraphChecksums> {
  await using data = await open(join(folder, DATA_FILE), 'w')
  await data.truncate(plan.dataBytes)
  const ranges = await writeData(data.fd)
  await data.sync()

  await using model = await open(join(folder, MODEL_FILE), 'w')
  await model.writeFile(plan.model)
  await model.sync()
  return { modelChecksum: crc32(plan.model), dataChecksum: checksumOfRanges(ranges, plan.dataBytes) }
}

/**
 * Writes all weights in the calling thread.
 *
 * @param onWeights  called with the number of weights of each piece that is written
 */
export function writeDataHere(plan: GraphPlan, source: WeightSource, onWeights: (weights: number) => void = () => {}): WriteData {
  return async descriptor => {
    const written: WrittenRange[] = []
    let piece = 0
    await writePieces(descriptor, plan, source, {
      next: () => piece++,
      onPiece: (weights, ranges) => {
        written.push(...ranges)
        onWeights(weights)
      }
    })
    return written
  }
}
