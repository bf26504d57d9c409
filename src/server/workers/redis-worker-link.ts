import type { EngineDescription, StepEvents } from '../../inference/contract/engine.ts'
import { invariant } from '../../inference/contract/invariant.ts'
import type { ScriptedRedis } from '../../queue/redis/connection/commands.ts'
import { openRedis, type RetryMode } from '../../queue/redis/connection/connect.ts'
import { shardKeys } from '../../queue/redis/connection/keys.ts'
import { parseRedisUrl } from '../../queue/redis/connection/redis-url.ts'
import { RedisWorker } from '../../queue/redis/worker/redis-worker.ts'
import type { JobRunner, Progress, Uplink } from '../../queue/worker/job-runner.ts'
import { openLog } from '../logger.ts'
import type { RedisEndpoint, RedisWorkerSettings } from './redis-worker-settings.ts'

export function connectTo({ url }: RedisEndpoint, retryMode: RetryMode, onError: (error: Error) => void): ScriptedRedis {
  const address = parseRedisUrl(url)
  invariant(address !== null, 'an address of Redis that was not checked')
  return openRedis(address, retryMode, onError)
}

/** While Redis is away, every attempt fails alike. */
const SAME_COMPLAINT_MS = 10_000

/** A worker process at a queue in Redis: its connections, and the end of them. */
export class RedisWorkerLink implements Uplink {
  readonly #settings: RedisWorkerSettings
  readonly #worker: RedisWorker
  readonly #connections: readonly ScriptedRedis[]

  constructor(settings: RedisWorkerSettings) {
    this.#settings = settings
    const { endpoint, workerId, stepTimeoutMs, logLevel } = settings
    const log = openLog(logLevel)
    const warn = oncePer(SAME_COMPLAINT_MS, (err: unknown) => log.warn({ err, workerId }, 'a worker has trouble with Redis'))
    const [redis, subscriber] = [connectTo(endpoint, 'patient', warn), connectTo(endpoint, 'patient', warn)]
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

  events(events: StepEvents): void {
    this.#worker.events(events)
  }

  running(requestIds: readonly string[]): void {
    this.#worker.running(requestIds)
  }

  advanced(requestIds: readonly string[]): void {
    this.#worker.advanced(requestIds)
  }

  heartbeat(progress: Progress): void {
    this.#worker.heartbeat(progress)
  }

  /** How long it may go on when there is nobody left to tell. */
  get drainMs(): number {
    return this.#settings.drainMs
  }

  /** Finishes what can be finished in time, and gives the rest back. */
  async leave(withinMs: number): Promise<void> {
    await this.#worker.drain(AbortSignal.timeout(withinMs))
    for (const redis of this.#connections) redis.disconnect()
  }
}

/** Drops what says the same as within the last while. */
function oncePer(ms: number, complain: (error: unknown) => void): (error: unknown) => void {
  const loggedAtMs = new Map<string, number>()
  return error => {
    const text = error instanceof Error ? error.message : String(error)
    if (performance.now() - (loggedAtMs.get(text) ?? Number.NEGATIVE_INFINITY) < ms) return
    loggedAtMs.clear()
    loggedAtMs.set(text, performance.now())
    complain(error)
  }
}
