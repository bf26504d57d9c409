import { Queue } from 'bullmq'
import type { ScriptedRedis } from '../connection/commands.ts'
import type { RedisKeys } from '../connection/keys.ts'
import { handBack } from '../scripts/worker-scripts.ts'

/** Gives back what dead workers held, at once: without it, their locks have to run out first. */
export class HandBackDesk {
  readonly #redis: ScriptedRedis
  readonly #shards: readonly { readonly keys: RedisKeys; readonly queue: Queue }[]

  constructor(redis: ScriptedRedis, shards: readonly RedisKeys[]) {
    this.#redis = redis
    this.#shards = shards.map(keys => {
      const queue = new Queue(keys.queueName, { connection: redis, prefix: keys.bullPrefix })
      // Redis is away: whoever waits for it is told by the command that fails.
      queue.on('error', () => {})
      return { keys, queue }
    })
  }

  /**
   * @param hasDied  not so when it was ended by us: then its death counts against nothing that it ran
   * @returns        how many requests wait again
   */
  async handBackAll(workerId: string, hasDied = true): Promise<number> {
    const redis = this.#redis
    let returned = 0
    for (const { keys, queue } of this.#shards) {
      const held = new Set([...(await redis.smembers(keys.worker(workerId))), ...(await this.#locked(keys, workerId))])
      for (const requestId of held) {
        if (await handBack(redis, keys, requestId, workerId, hasDied)) returned++
        // Not ours any more, then: whoever has it now, has it.
        await queue
          .getBackend()
          .moveJobFromActiveToWait(requestId, workerId)
          .catch(() => {})
      }
      await redis.del(keys.worker(workerId))
      await redis.hdel(keys.workers, workerId)
      if (held.size > 0) await redis.publish(keys.workChannel, '')
    }
    return returned
  }

  async close(): Promise<void> {
    for (const { queue } of this.#shards) await queue.close()
  }

  /** Jobs under the worker's lock: it may have died between taking one and saying so. */
  async #locked(keys: RedisKeys, workerId: string): Promise<string[]> {
    const name = `${keys.bullPrefix}:${keys.queueName}`
    const active = await this.#redis.lrange(`${name}:active`, 0, -1)
    if (active.length === 0) return []
    const tokens = await this.#redis.mget(active.map(id => `${name}:${id}:lock`))
    return active.filter((_, index) => tokens[index] === workerId)
  }
}
