import type { EngineDescription, EngineListener, EngineSignal } from '../../inference/contract/engine.ts'
import { invariant } from '../../inference/contract/invariant.ts'
import type { ScriptedRedis } from '../../queue/redis/connection/commands.ts'
import { openRedis, type RetryMode } from '../../queue/redis/connection/connect.ts'
import { shardKeys } from '../../queue/redis/connection/keys.ts'
import { parseRedisUrl } from '../../queue/redis/connection/redis-url.ts'
import { RedisWorker } from '../../queue/redis/worker/redis-worker.ts'
import type { JobRunner } from '../../queue/worker/job-runner.ts'
import { openLog, withoutRepeats } from '../logger.ts'
import type { RedisEndpoint, RedisWorkerSettings } from './redis-worker-settings.ts'

export function connectTo({ url }: RedisEndpoint, retryMode: RetryMode, onError: (error: Error) => void): ScriptedRedis {
  const address = parseRedisUrl(url)
  invariant(address !== null, 'a Redis URL was not validated')
  return openRedis(address, retryMode, onError)
}

/** A worker process at a queue in Redis, with its connections. */
export class RedisWorkerLink implements EngineListener {
  readonly #settings: RedisWorkerSettings
  readonly #worker: RedisWorker
  readonly #connections: readonly ScriptedRedis[]

  constructor(settings: RedisWorkerSettings) {
    this.#settings = settings
    const { endpoint, workerId, stepTimeoutMs, logLevel } = settings
    const log = openLog(logLevel)
    const warn = withoutRepeats(err => log.warn({ err, workerId }, 'a worker has trouble with Redis'))
    const [redis, subscriber] = [connectTo(endpoint, 'waiting', warn), connectTo(endpoint, 'waiting', warn)]
    this.#connections = [redis, subscriber]
    this.#worker = new RedisWorker({
      redis,
      subscriber,
      shards: shardKeys(endpoint),
      workerId,
      stepTimeoutMs,
      onTrouble: warn,
      endProcess: reason => {
        console.error(`everstream: a worker ends itself: ${reason}`)
        process.kill(process.pid, 'SIGKILL')
      }
    })
  }

  /** @throws {ServiceError} another model is served there */
  async open(runner: JobRunner, description: EngineDescription): Promise<void> {
    await this.#worker.open(runner, description)
  }

  emit(signal: EngineSignal): void {
    this.#worker.emit(signal)
  }

  /** How long the worker may continue once it has lost its parent. */
  get drainMs(): number {
    return this.#settings.drainMs
  }

  /** Waits for requests that end before `signal` aborts, and hands the others back. */
  async leave(signal: AbortSignal): Promise<void> {
    await this.#worker.drain(signal)
    for (const redis of this.#connections) redis.disconnect()
  }
}
