import { randomUUID } from 'node:crypto'
import type { WorkerHandle } from '../../queue/embedded/worker-pool.ts'
import type { ScriptedRedis } from '../../queue/redis/connection/commands.ts'
import { shardKeys } from '../../queue/redis/connection/keys.ts'
import { claimModel } from '../../queue/redis/connection/model-guard.ts'
import { HandBackDesk } from '../../queue/redis/requests/hand-back.ts'
import type { Logger } from '../logger.ts'
import type { ChildLink, ChildPool } from './child-pool.ts'
import { connectTo } from './redis-worker-link.ts'
import type { RedisWorkerSettings } from './redis-worker-settings.ts'

/** Workers give back by themselves what does not end in time; those that have not left so much later are killed. */
export const EXIT_GRACE_MS = 3000
/** Handing back takes milliseconds, unless Redis is away: then the dead worker's locks run out. */
const CLOSE_MS = 2000

/** Seats worker processes at a queue in Redis, and hands back at once what one of them held when it died. */
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
    // Its workers complain of what they miss; one voice more would say the same.
    this.#redis = connectTo(settings.endpoint, 'patient', () => {})
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
      // Whatever it has to say, it says to Redis.
      deliver: () => {},
      running: () => {},
      advanced: () => {},
      retire: () => {},
      leave: (replace, isDismissed = false) => {
        replace?.()
        this.#handBack(workerId, !isDismissed)
      }
    }
  }

  /** How many times a request lost its worker and was kept for another, since the start. */
  get handedOn(): number {
    return this.#handedOn
  }

  /** Other workers of the queue go on. */
  giveUp(): void {}

  /** Waits, not for long, until all has been handed back. */
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
          if (requests > 0) this.#log.info({ workerId, requests }, 'what a worker had was handed back')
        },
        error => this.#log.error({ workerId, err: error }, 'what a worker had could not be handed back')
      )
      .finally(() => this.#pending.delete(done))
    this.#pending.add(done)
  }
}
