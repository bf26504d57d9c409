import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MODEL_FILE } from '../../graph/graph-plan.ts'
import { writeGraph } from '../../graph/write-graph.ts'
import { writeDataInThreads } from '../build/write-data.ts'
import { temporaryName } from '../graph-cache.ts'
import type { ModelFiles } from '../model-files.ts'
import { planModel } from '../plan-model.ts'
import type { LogitDistance } from './logit-distance.ts'
import { measure } from './measure.ts'
import { type ChannelLists, measuredShape } from './measure-task.ts'

/** What a run of the model in 8 bits on a text has shown. Disposing of it removes its graph from the disk. */
export interface Calibration extends AsyncDisposable {
  readonly exactChannels: ChannelLists
  /** How far the predictions of another graph of the same model are from those of the calibrated one. */
  distanceOf(graphPath: string): Promise<LogitDistance>
}

/**
 * Builds the graph of a model in 8 bits with outputs for its activations, and runs it on a text.
 *
 * @param name        path from which the temporary folder of the graph is named
 * @param onProgress  called with the share of the weights that are written, 0 to 1, monotonic
 * @throws {ModelFileError} the model cannot be read or run, or the disk is full
 */
export async function calibrate(files: ModelFiles, name: string, onProgress: (fraction: number) => void): Promise<Calibration> {
  const planned = await planModel(files, 'int8', 'report')
  await using _ = planned.file
  const { plan, matrices, shape } = planned
  const folder = temporaryName(name)
  await using cleanup = new AsyncDisposableStack()
  cleanup.defer(() => rm(folder, { recursive: true, force: true }))
  await mkdir(folder, { recursive: true })
  await writeGraph(folder, plan, writeDataInThreads(plan, matrices, { onProgress }))
  const task = {
    graphPath: join(folder, MODEL_FILE),
    sourcePath: files.weights,
    shape: measuredShape(shape)
  }
  const { channels } = await measure<'exact-channels'>({ kind: 'exact-channels', ...task, reported: [...plan.reported] })
  const owned = cleanup.move()
  return {
    exactChannels: channels,
    async distanceOf(graphPath) {
      const { distance } = await measure<'distance'>({
        kind: 'distance',
        ...task,
        referencePath: task.graphPath,
        graphPath,
        cacheScales: null
      })
      return distance
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync()
  }
}
