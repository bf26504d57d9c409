import { openLog } from '../../../src/server/logger.ts'
import { RedisPool } from '../../../src/server/workers/redis-pool.ts'
import type { RedisWorkerSettings } from '../../../src/server/workers/redis-worker-settings.ts'
import { type FakeWorkerOptions, startWorkers } from './start-workers.ts'

export interface OrphaningOptions {
  readonly worker: Partial<FakeWorkerOptions>
  /** null: the embedded queue. */
  readonly redis: Omit<RedisWorkerSettings, 'workerId'> | null
}

/** A parent with two workers, which sends their pids and is killed by the test. */
const { worker, redis }: OrphaningOptions = JSON.parse(process.argv[2] ?? '')
const pool = redis === null ? {} : { pool: new RedisPool(redis, openLog('silent')) }
const workers = startWorkers(worker, { workers: 2, ...pool })
await workers.hasLogged('a worker is ready', 2)
process.send?.(workers.pids())
