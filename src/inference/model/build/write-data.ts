import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { GraphPlan } from '../../graph/graph-plan.ts'
import type { WrittenRange } from '../../graph/range-checksum.ts'
import { type WriteData, writeDataHere } from '../../graph/write-graph.ts'
import { countWeights, type WritePiecesOptions } from '../../graph/write-pieces.ts'
import { ModelFileError } from '../../weights/model-file-error.ts'
import { type StoredMatrix, tensorWeights } from '../tensor-weights.ts'
import type { BuildMessage, BuildTask } from './build-thread.ts'

/** More threads than this wait for the disk, and each takes memory. */
const MAX_THREADS = 8

/** A thread takes 0.1 s to start: as long as converting this many weights. */
const WEIGHTS_PER_THREAD = 4 * 2 ** 20

export interface WriteDataOptions {
  /** Default: the processor's cores, fewer for a small model; 0: the calling thread. */
  readonly threads?: number
  /** Called with the share of the weights that are written, 0 to 1, monotonic. */
  readonly onProgress: (fraction: number) => void
}

/**
 * Converts the weights of a model in threads. Each piece is read, converted and written by one thread, so that a thread
 * holds one piece in memory. The files of `matrices` must be open until the promise is settled.
 */
export function writeDataInThreads(
  plan: GraphPlan,
  matrices: ReadonlyMap<string, StoredMatrix>,
  { threads, onProgress }: WriteDataOptions
): WriteData {
  const source = tensorWeights(matrices)
  const total = countWeights(plan, source)
  const count = threads ?? Math.min(MAX_THREADS, availableParallelism(), Math.floor(total / WEIGHTS_PER_THREAD))
  let done = 0
  const onWeights = (weights: number): void => {
    done += weights
    onProgress(done / total)
  }
  if (count === 0) return writeDataHere(plan, source, onWeights)

  return async descriptor => {
    const written: WrittenRange[] = []
    const task: BuildTask = { plan, matrices, descriptor, nextPiece: new Int32Array(new SharedArrayBuffer(4)) }
    const workers = Array.from(
      { length: count },
      () => new Worker(new URL('./build-thread.ts', import.meta.url), { workerData: task, execArgv: [] })
    )
    try {
      await Promise.all(
        workers.map(worker =>
          finished(worker, (weights, ranges) => {
            written.push(...ranges)
            onWeights(weights)
          })
        )
      )
    } finally {
      // The caller closes the files next: no thread may use their descriptors then.
      await Promise.all(workers.map(worker => worker.terminate()))
    }
    return written
  }
}

/** @throws {Error} the thread failed; with the `code` of an error of the file system */
function finished(worker: Worker, onPiece: WritePiecesOptions['onPiece']): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.on('message', (message: BuildMessage) => {
      if (message.kind === 'written') onPiece(message.weights, message.ranges)
      else reject(message.isModelFileError ? new ModelFileError(message.message) : withCode(message.message, message.code))
    })
    worker.on('error', reject)
    worker.on('exit', code => (code === 0 ? resolve() : reject(new Error(`a thread of the build exited with code ${code}`))))
  })
}

function withCode(message: string, code: string | null): Error {
  const error = new Error(message)
  return code === null ? error : Object.assign(error, { code })
}
