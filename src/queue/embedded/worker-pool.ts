import type { StepEvents } from '../../inference/contract/engine.ts'
import type { LoggedEvent } from '../../inference/contract/events.ts'
import type { GenerationRequest } from '../../inference/contract/request.ts'

/** A worker as the queue sees it. Messages arrive in the order of the calls; none of them throws or waits. */
export interface WorkerLink {
  /** Rows of its batch. */
  readonly slots: number
  /** What a worker of this slot ran, its successor there goes on with at less cost than others. */
  readonly workerIndex?: number
  /** @param history what its log holds already: it goes on behind that */
  start(request: GenerationRequest, history: readonly LoggedEvent[]): void
  /** Its rows are free for whatever is started afterwards. */
  cancel(requestId: string): void
}

/** A worker's slot at the queue: what it brings, and its end. */
export interface WorkerHandle {
  /** Events of one step. Those of requests that it does not run (any more) are ignored. */
  deliver(events: StepEvents): void
  /** As the engine tells it: should the worker die, it dies of one of these. */
  running(requestIds: readonly string[]): void
  /** As the engine tells it. */
  advanced(requestIds: readonly string[]): void
  /** Gets no more requests; those it runs go on. */
  retire(): void
  /**
   * Gone: what it still ran goes on at another worker, behind what its log holds; nothing more is heard from this one.
   *
   * @param replace      called before anything of it is given out: a successor that joins in it is there in time
   * @param isDismissed  it was ended because its server ends: nothing that it ran is to blame
   */
  leave(replace?: () => void, isDismissed?: boolean): void
}

/** The queue as whoever keeps the workers sees it. */
export interface WorkerPool {
  /** A worker with a loaded model: it is given requests at once. */
  join(link: WorkerLink): WorkerHandle
  /** No worker will ever come again: what waits fails with `unavailable`, and nothing is admitted any more. */
  giveUp(reason: string): void
}
