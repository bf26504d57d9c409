import { dirname, join } from 'node:path'
import { z } from 'zod'
import { cacheBytesPerToken } from '../../contract/cache-type.ts'
import { INT8_CACHE_MODEL_FILE } from '../../graph/graph-plan.ts'
import type { PreparedModel } from '../prepared-model.ts'
import { sha256 } from '../source-hash.ts'
import { LogitDistance } from './logit-distance.ts'
import { measure } from './measure.ts'
import { measuredShape } from './measure-task.ts'
import { readMeasured, writeMeasured } from './measured-file.ts'

const MeasuredCache = z.strictObject({
  /** See `CacheScales`. */
  scales: z.array(z.number().positive()),
  /** From the predictions with a float32 cache. */
  distance: LogitDistance
})
type MeasuredCache = z.infer<typeof MeasuredCache>

/**
 * The same model with an int8 cache. Its scales are measured on a text once and saved. They are part of the model's
 * hash: kernels that round otherwise give other scales for the same file, and workers with other scales would generate
 * other tokens.
 *
 * @param model       with a float32 cache
 * @param onProgress  called with the share done, 0 to 1, if the scales have to be measured
 * @throws {ModelFileError} the model cannot be run
 */
export async function withInt8Cache(
  model: PreparedModel,
  cacheFolder: string,
  onProgress: (fraction: number) => void
): Promise<PreparedModel> {
  const subject = `${model.modelHash} int8 cache`
  const graphPath = join(dirname(model.graphPath), INT8_CACHE_MODEL_FILE)
  let measured = await readMeasured(cacheFolder, subject, MeasuredCache)
  if (measured === null) {
    measured = await measureCache(model, graphPath, onProgress)
    // Where nothing can be written, each start measures again, with the same result.
    await writeMeasured(cacheFolder, subject, MeasuredCache, measured).catch(() => {})
  }
  return {
    ...model,
    graphPath,
    modelHash: sha256(`${subject} ${JSON.stringify(measured.scales)}`),
    cacheBytesPerToken: cacheBytesPerToken(model, 'int8'),
    cacheScales: measured.scales,
    cacheDistance: measured.distance
  }
}

async function measureCache(model: PreparedModel, graphPath: string, onProgress: (fraction: number) => void): Promise<MeasuredCache> {
  const task = { sourcePath: model.sourcePath, shape: measuredShape(model) }
  onProgress(0)
  const { scales } = await measure<'cache-scales'>({ kind: 'cache-scales', ...task, graphPath: model.graphPath })
  onProgress(0.5)
  const { distance } = await measure<'distance'>({
    kind: 'distance',
    ...task,
    referencePath: model.graphPath,
    graphPath,
    cacheScales: scales
  })
  onProgress(1)
  return { scales, distance }
}
