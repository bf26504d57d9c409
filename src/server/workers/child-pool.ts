import type { WorkerHandle, WorkerLink } from '../../queue/embedded/worker-pool.ts'
import type { RedisWorkerSettings } from './redis-worker-settings.ts'

/** A worker process with a loaded model, as its supervisor offers it to a queue. */
export interface ChildLink extends WorkerLink {
  /** It finds its requests by itself from now on. */
  joinRedis(settings: RedisWorkerSettings): void
}

/** Where a supervisor's workers get their requests: the embedded queue is one. */
export interface ChildPool {
  join(link: ChildLink): WorkerHandle
  /** No worker of this supervisor will ever come again. */
  giveUp(reason: string): void
}
