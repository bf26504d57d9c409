import { randomUUID } from 'node:crypto'
import type { ScriptedRedis } from '../../queue/redis/connection/commands.ts'
import { shardKeys } from '../../queue/redis/connection/keys.ts'
import { claimModel } from '../../queue/redis/connection/model-guard.ts'
import { HandBackDesk } from '../../queue/redis/requests/hand-back.ts'
import type { WorkerHandle } from '../../queue/worker-pool.ts'
import type { Logger } from '../logger.ts'
import { connectTo } from './redis-worker-link.ts'
import type { RedisWorkerSettings } from './redis-worker-settings.ts'
import type { ChildLink, ChildPool } from './worker-child.ts'

/** Workers hand back requests that do not end in time. One that has not exited this long after that is killed. */
export const EXIT_GRACE_MS = 3000
/** Handing back takes milliseconds, unless Redis is unreachable: then the dead worker's locks expire instead. */
const CLOSE_MS = 2000

/** Joins worker processes to a queue in Redis, and hands back the requests of a worker as soon as it has died. */
export class RedisPool implements ChildPool {
  readonly #settings: Omit<RedisWorkerSettings, 'workerId'>
  readonly #log: Logger
  readonly #redis: ScriptedRedis
  readonly #desk: HandBackDesk
  readonly #pending = new Set<Promise<void>>()
  #handedOn = 0

  constructor(settings: Omit<RedisWorkerSettings, 'workerId'>, log: Logger) {
    this.#settings = settings
    this.#log = log
    // Errors of the connection are not logged: the workers log the same ones.
    this.#redis = connectTo(settings.endpoint, 'waiting', () => {})
    this.#desk = new HandBackDesk(this.#redis, shardKeys(settings.endpoint))
  }

  /** @throws {ServiceError} another model is served there */
  async claimModel(modelHash: string): Promise<void> {
    await claimModel(this.#redis, shardKeys(this.#settings.endpoint), modelHash)
  }

  join(link: ChildLink): WorkerHandle {
    const workerId = randomUUID()
    link.joinRedis({ ...this.#settings, workerId })
    return {
      // The worker writes its signals to Redis.
      emit: () => {},
      retire: () => {},
      leave: (replace, isDismissed = false) => {
        replace?.()
        this.#handBack(workerId, !isDismissed)
      }
    }
  }

  /** How many times a request lost its worker and was handed back, since the start. */
  get handedOn(): number {
    return this.#handedOn
  }

  /** A no-op: the queue may have other workers. */
  giveUp(): void {}

  /** Waits, for a limited time, until all requests have been handed back. */
  async close(): Promise<void> {
    await Promise.race([Promise.all(this.#pending), new Promise(resolve => setTimeout(resolve, CLOSE_MS).unref())])
    this.#redis.disconnect()
  }

  #handBack(workerId: string, hasDied: boolean): void {
    const done = this.#desk
      .handBackAll(workerId, hasDied)
      .then(
        requests => {
          this.#handedOn += requests
          if (requests > 0) this.#log.info({ workerId, requests }, 'the requests of a worker were handed back')
        },
        error => this.#log.error({ workerId, err: error }, 'the requests of a worker could not be handed back')
      )
      .finally(() => this.#pending.delete(done))
    this.#pending.add(done)
  }
}
