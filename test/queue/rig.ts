import type { GenerationQueue } from '../../src/queue/queue.ts'
import type { FakeEngine } from './fake-engine.ts'

/** A worker around a `FakeEngine`, in this process. */
export interface RigWorker {
  /** For assertions only. */
  readonly engine: FakeEngine
  /**
   * Ends the worker as SIGKILL does: only signals that it has already emitted arrive. The queue may detect it later.
   */
  kill(): Promise<void>
}

/** One queue under test with its store, which is removed with it. */
export interface QueueRig extends AsyncDisposable {
  readonly queue: GenerationQueue
  /** Resolves when the worker gets requests. */
  startWorker(slots: number): Promise<RigWorker>
}

export interface RigOptions {
  readonly waitingLimit: number
  /** How long a request continues without a reader. */
  readonly resumeGraceMs: number
  /** How long the log of a plain request is kept after its end. */
  readonly retentionMs: number
  /** The same for other requests. */
  readonly streamRetentionMs: number
}

/** Opens an empty queue without workers. */
export type OpenRig = (options: RigOptions) => Promise<QueueRig>

const LONG_TIMES: RigOptions = { waitingLimit: 100, resumeGraceMs: 60_000, retentionMs: 60_000, streamRetentionMs: 60_000 }

/** Opens a queue for a suite; with `slots`, it has one worker. */
export type RigWith = (options?: Partial<RigOptions> & { readonly slots?: number }) => Promise<QueueRig>

export function rigWith(openRig: OpenRig): RigWith {
  return async ({ slots, ...options } = {}) => {
    const rig = await openRig({ ...LONG_TIMES, ...options })
    if (slots !== undefined) await rig.startWorker(slots)
    return rig
  }
}
