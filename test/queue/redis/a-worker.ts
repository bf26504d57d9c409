import { randomUUID } from 'node:crypto'
import type { ScriptedRedis } from '../../../src/queue/redis/connection/commands.ts'
import type { RedisKeys } from '../../../src/queue/redis/connection/keys.ts'
import { RedisWorker } from '../../../src/queue/redis/worker/redis-worker.ts'
import { JobRunner } from '../../../src/queue/worker/job-runner.ts'
import { FakeEngine } from '../fake-engine.ts'

export interface WorkerParts {
  readonly redis: ScriptedRedis
  readonly subscriber: ScriptedRedis
  readonly shards: readonly RedisKeys[]
  readonly slots: number
  readonly stepMs: number
}

/** A worker of a queue in Redis, in this process: a real worker and runner, and a `FakeEngine`. */
export async function openWorker({ redis, subscriber, shards, slots, stepMs }: WorkerParts) {
  const workerId = randomUUID()
  const worker = new RedisWorker({
    redis,
    subscriber,
    shards,
    workerId,
    stepTimeoutMs: 10_000,
    onTrouble: () => {},
    endProcess: reason => {
      throw new Error(reason)
    }
  })
  const runner = new JobRunner(worker, 50)
  const engine = new FakeEngine({ slots, stepMs, listener: runner })
  runner.serve(engine)
  await worker.open(runner, engine.description)
  return { worker, engine, workerId }
}
