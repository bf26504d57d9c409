import type { GenerationQueue } from '../../src/queue/queue.ts'
import type { FakeEngine } from './fake-engine.ts'

/** A worker around a `FakeEngine`, in this process. */
export interface RigWorker {
  /** To look at, not to work with. */
  readonly engine: FakeEngine
  /**
   * It dies as of SIGKILL: what it has said arrives, nothing more does. The queue may find out later, in its own way.
   */
  kill(): Promise<void>
}

/** One queue under test, and whatever store it needs; nothing of it outlives it. */
export interface QueueRig extends AsyncDisposable {
  readonly queue: GenerationQueue
  /** The worker takes requests when this resolves. */
  startWorker(slots: number): Promise<RigWorker>
}

export interface RigOptions {
  readonly waitingLimit: number
  /** How long a request goes on without a reader. */
  readonly resumeGraceMs: number
  /** How long the log of a plain request lives after its end. */
  readonly retentionMs: number
  /** The same of others. */
  readonly streamRetentionMs: number
}

/** Opens an empty queue without workers. */
export type OpenRig = (options: RigOptions) => Promise<QueueRig>

const PATIENT: RigOptions = { waitingLimit: 100, resumeGraceMs: 60_000, retentionMs: 60_000, streamRetentionMs: 60_000 }

/** What a suite asks for: with `slots`, one worker is there. */
export type RigWith = (options?: Partial<RigOptions> & { readonly slots?: number }) => Promise<QueueRig>

export function rigWith(openRig: OpenRig): RigWith {
  return async ({ slots, ...options } = {}) => {
    const rig = await openRig({ ...PATIENT, ...options })
    if (slots !== undefined) await rig.startWorker(slots)
    return rig
  }
}
