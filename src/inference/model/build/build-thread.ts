import { parentPort, workerData } from 'node:worker_threads'
import { invariant } from '../../contract/invariant.ts'
import type { GraphPlan } from '../../graph/graph-plan.ts'
import type { WrittenRange } from '../../graph/range-checksum.ts'
import { writePieces } from '../../graph/write-pieces.ts'
import { ModelFileError } from '../../weights/model-file-error.ts'
import { type StoredMatrix, tensorWeights } from '../tensor-weights.ts'

/** What a thread of a build is given. Descriptors are shared by the threads of a process. */
export interface BuildTask {
  readonly plan: GraphPlan
  readonly matrices: ReadonlyMap<string, StoredMatrix>
  /** Of the data file, open for writing. */
  readonly descriptor: number
  /** Int32 [1] in shared memory: the next piece that no thread has taken. */
  readonly nextPiece: Int32Array<SharedArrayBuffer>
}

export type BuildMessage =
  | { readonly kind: 'written'; readonly weights: number; readonly ranges: readonly WrittenRange[] }
  /** An error class does not survive a message. */
  | { readonly kind: 'failed'; readonly message: string; readonly code: string | null; readonly isModelFileError: boolean }

invariant(parentPort !== null, 'build-thread.ts is the entry point of a thread')
const port = parentPort
const { plan, matrices, descriptor, nextPiece } = workerData as BuildTask
const send = (message: BuildMessage): void => port.postMessage(message)

try {
  await writePieces(descriptor, plan, tensorWeights(matrices), {
    next: () => Atomics.add(nextPiece, 0, 1),
    onPiece: (weights, ranges) => send({ kind: 'written', weights, ranges })
  })
} catch (error) {
  const message = error instanceof Error ? error.message : String(error)
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null
  send({ kind: 'failed', message, code, isModelFileError: error instanceof ModelFileError })
}
