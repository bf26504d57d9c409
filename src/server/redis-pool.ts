import { randomUUID } from 'node:crypto'
import type { WorkerSeat } from '../queue/embedded/worker-pool.ts'
import type { ScriptedRedis } from '../queue/redis/commands.ts'
import { HandBackDesk } from '../queue/redis/hand-back.ts'
import { shardKeys } from '../queue/redis/keys.ts'
import { claimModel } from '../queue/redis/model-guard.ts'
import type { ChildLink, ChildPool } from './child-pool.ts'
import type { Logger } from './logger.ts'
import { connectTo } from './redis-seat.ts'
import type { RedisSeatSettings } from './redis-seat-settings.ts'

/** Workers give back by themselves what does not end in time; those that have not left so much later are killed. */
export const GOODBYE_MS = 3000
/** Handing back takes milliseconds, unless Redis is away: then the dead worker's locks run out. */
const CLOSE_MS = 2000

/** Seats worker processes at a queue in Redis, and hands back at once what one of them held when it died. */
export class RedisPool implements ChildPool {
  readonly #settings: Omit<RedisSeatSettings, 'workerId'>
  readonly #log: Logger
  readonly #redis: ScriptedRedis
  readonly #desk: HandBackDesk
  readonly #pending = new Set<Promise<void>>()
  #handedOn = 0

  constructor(settings: Omit<RedisSeatSettings, 'workerId'>, log: Logger) {
    this.#settings = settings
    this.#log = log
    // Its workers complain of what they miss; one voice more would say the same.
    this.#redis = connectTo(settings.place, 'patient', () => {})
    this.#desk = new HandBackDesk(this.#redis, shardKeys(settings.place))
  }

  /** @throws {ServiceError} another model is served there */
  async claimModel(modelHash: string): Promise<void> {
    await claimModel(this.#redis, shardKeys(this.#settings.place), modelHash)
  }

  join(link: ChildLink): WorkerSeat {
    const workerId = randomUUID()
    link.seat({ ...this.#settings, workerId })
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
