import type { WorkerLink, WorkerSeat } from '../queue/embedded/worker-pool.ts'
import type { RedisSeatSettings } from './redis-seat-settings.ts'

/** A worker process with a loaded model, as its supervisor offers it to a queue. */
export interface ChildLink extends WorkerLink {
  /** It finds its requests by itself from now on. */
  seat(settings: RedisSeatSettings): void
}

/** Where a supervisor's workers get their requests: the embedded queue is one. */
export interface ChildPool {
  join(link: ChildLink): WorkerSeat
  /** No worker of this supervisor will ever come again. */
  giveUp(reason: string): void
}
