import { Queue } from 'bullmq'
import { z } from 'zod'
import type { GenerationRequest } from '../../../inference/contract/request.ts'
import { answersOf, type RequestStore } from '../requests/request-store.ts'

/**
 * In the middle of BullMQ's range, since the priority of a request may be negative. Every job has a priority, so that
 * all jobs wait in the same sorted set.
 */
const DEFAULT_PRIORITY = 1_000_000
const HIGHEST_PRIORITY = 2_097_151

/** Ids of the requests of one shard, by state of their jobs. */
export interface ShardRequests {
  /** In the order in which they will be claimed. */
  readonly waiting: readonly string[]
  /** Their jobs are locked by workers. */
  readonly active: readonly string[]
  /** Admitted and not yet claimed: the waiting ones, and those whose jobs are being added or taken. */
  readonly admitted: readonly string[]
}

const Ids = z.array(z.string())

/** BullMQ's queue of one shard, as an API process uses it. */
export class BullWaitQueue {
  readonly #store: RequestStore
  readonly #onError: (error: Error) => void
  #queue: Queue | null = null

  constructor(store: RequestStore, onError: (error: Error) => void) {
    this.#store = store
    this.#onError = onError
  }

  /** Adds a job after all others of its priority, and notifies workers. Idempotent. */
  async add({ id, delivery }: Pick<GenerationRequest, 'id' | 'delivery'>): Promise<void> {
    const queue = await this.#open()
    const priority = Math.min(Math.max(1, DEFAULT_PRIORITY + delivery.priority), HIGHEST_PRIORITY)
    await queue.add('generate', {}, { jobId: id, priority })
    const { redis, keys } = this.#store
    await redis.publish(keys.workChannel, '')
  }

  /** Without effect when there is no job, or when a worker has locked it: that worker completes it. */
  async remove(requestId: string): Promise<void> {
    const queue = await this.#open()
    await queue.remove(requestId)
  }

  async read(): Promise<ShardRequests> {
    const { redis, keys } = this.#store
    const pipeline = redis.pipeline()
    // Read before the lists: a request that is admitted in between would look lost.
    pipeline.hkeys(keys.waiting)
    pipeline.lrange(keys.bull('wait'), 0, -1)
    pipeline.zrange(keys.bull('prioritized'), '0', '-1')
    pipeline.lrange(keys.bull('active'), 0, -1)
    const [admitted, returned, prioritized, active] = (await answersOf(pipeline)).map(ids => Ids.parse(ids))
    return { admitted: admitted ?? [], waiting: [...(returned ?? []).reverse(), ...(prioritized ?? [])], active: active ?? [] }
  }

  async close(): Promise<void> {
    await this.#queue?.close()
  }

  /** BullMQ does not recover from a start without Redis, so its queue is opened once Redis is connected. */
  async #open(): Promise<Queue> {
    const { redis, keys } = this.#store
    if (this.#queue !== null) return this.#queue
    // The status of a connected cluster is `connect`, that of a single server `ready`.
    if (redis.status !== 'ready' && redis.status !== 'connect') throw new Error('Redis is not connected')
    const queue = new Queue(keys.queueName, {
      connection: redis,
      prefix: keys.bullPrefix,
      streams: { events: { maxLen: 100 } },
      defaultJobOptions: { removeOnComplete: true, removeOnFail: true, attempts: 1 }
    })
    queue.on('error', this.#onError)
    this.#queue = queue
    try {
      await queue.waitUntilReady()
    } catch (error) {
      if (this.#queue === queue) this.#queue = null
      throw error
    }
    return queue
  }
}
