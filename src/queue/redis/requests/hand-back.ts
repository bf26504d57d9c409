import { Queue } from 'bullmq'
import type { ScriptedRedis } from '../connection/commands.ts'
import type { RedisKeys } from '../connection/keys.ts'
import { handBack } from './claim.ts'

/** Returns the requests of dead workers to the queue at once. Without it, their locks have to expire first. */
export class HandBackDesk {
  readonly #redis: ScriptedRedis
  readonly #shards: readonly { readonly keys: RedisKeys; readonly queue: Queue }[]

  constructor(redis: ScriptedRedis, shards: readonly RedisKeys[]) {
    this.#redis = redis
    this.#shards = shards.map(keys => {
      const queue = new Queue(keys.queueName, { connection: redis, prefix: keys.bullPrefix })
      // Emitted while Redis is away; the failing command reports the same to its caller.
      queue.on('error', () => {})
      return { keys, queue }
    })
  }

  /**
   * @param hasDied  false for a worker that was stopped on purpose: its end counts against none of its requests
   * @returns        the number of requests that wait again
   */
  async handBackAll(workerId: string, hasDied = true): Promise<number> {
    const redis = this.#redis
    let returned = 0
    for (const { keys, queue } of this.#shards) {
      const held = new Set([...(await redis.smembers(keys.worker(workerId))), ...(await this.#locked(keys, workerId))])
      for (const requestId of held) {
        if (await handBack(redis, keys, requestId, workerId, hasDied)) returned++
        // Fails when the job is not under this worker's lock any more: then another worker has it.
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

  /** Jobs under the worker's lock: the worker may have died after it took a job and before it claimed the request. */
  async #locked(keys: RedisKeys, workerId: string): Promise<string[]> {
    const active = await this.#redis.lrange(keys.bull('active'), 0, -1)
    if (active.length === 0) return []
    const tokens = await this.#redis.mget(active.map(id => keys.bull(`${id}:lock`)))
    return active.filter((_, index) => tokens[index] === workerId)
  }
}
