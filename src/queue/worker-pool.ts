import type { EngineListener } from '../inference/contract/engine.ts'
import type { LoggedEvent } from '../inference/contract/events.ts'
import type { GenerationRequest } from '../inference/contract/request.ts'

/** The queue's way to a worker. Messages arrive in the order of the calls; none of them throws or waits. */
export interface WorkerLink {
  /** Rows of its batch. */
  readonly slots: number
  /** The next worker with the same index continues this worker's requests at less cost than others. */
  readonly workerIndex?: number
  /** @param history  events that the request's log already contains; the worker continues after them */
  start(request: GenerationRequest, history: readonly LoggedEvent[]): void
  /** Frees the request's rows before anything that is started afterwards. */
  cancel(requestId: string): void
}

/**
 * A worker's way to the queue. Signals about requests that the worker does not run, or no longer runs, are ignored.
 */
export interface WorkerHandle extends EngineListener {
  /** The worker gets no more requests; those it runs continue. */
  retire(): void
  /**
   * The worker has ended. Its requests continue on other workers, after the last entry of their logs; later signals of
   * this worker are ignored.
   *
   * @param replace      called before these requests are dispatched, so that a successor that joins in it can get them
   * @param isDismissed  the worker was ended because its server ends: this death counts against no request
   */
  leave(replace?: () => void, isDismissed?: boolean): void
}

/** The part of a queue that workers join. */
export interface WorkerPool<Link extends WorkerLink = WorkerLink> {
  /** Adds a worker with a loaded model. It may be given requests within this call. */
  join(link: Link): WorkerHandle
  /** No worker will ever join again: waiting requests fail with `unavailable`, and none is admitted from now on. */
  giveUp(reason: string): void
}
