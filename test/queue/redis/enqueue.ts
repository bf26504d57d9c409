import { Queue } from 'bullmq'
import type { LogEntry } from '../../../src/inference/contract/events.ts'
import { choiceCount, type GenerationRequest } from '../../../src/inference/contract/request.ts'
import type { ScriptedRedis } from '../../../src/queue/redis/connection/commands.ts'
import type { RedisKeys } from '../../../src/queue/redis/connection/keys.ts'
import { RequestStore } from '../../../src/queue/redis/requests/request-store.ts'

/** The minimum of an API process: adds requests to the queue, and reads logs and states. */
export class TestClient {
  readonly #redis: ScriptedRedis
  readonly #keys: RedisKeys
  readonly #queue: Queue

  constructor(redis: ScriptedRedis, keys: RedisKeys) {
    this.#redis = redis
    this.#keys = keys
    this.#queue = new Queue(keys.queueName, {
      connection: redis,
      prefix: keys.bullPrefix,
      streams: { events: { maxLen: 100 } },
      defaultJobOptions: { removeOnComplete: true, removeOnFail: true, attempts: 1 }
    })
    this.#queue.on('error', () => {})
  }

  async submit(request: GenerationRequest, leaseUntilMs = 0): Promise<string> {
    const { id, delivery } = request
    const keys = this.#keys
    const rows = choiceCount(request)
    const limits = { waitingLimit: 1000, waitingTokenLimit: 1e9, freeRows: 0, seenWaiting: 0, rows, retentionMs: 600_000 }
    await new RequestStore(this.#redis, keys).admit(request, { leaseUntilMs, ...limits })
    await this.#queue.add('generate', {}, { jobId: id, priority: 1_000_000 + delivery.priority })
    await this.#redis.publish(keys.workChannel, '')
    return id
  }

  async log(requestId: string): Promise<LogEntry[]> {
    const entries = await this.#redis.xrange(this.#keys.log(requestId), '-', '+')
    return entries.map(([id, fields]) => ({ ordinal: Number.parseInt(id, 10), event: JSON.parse(fields[1] ?? '') }))
  }

  async state(requestId: string): Promise<string | null> {
    return await this.#redis.hget(this.#keys.request(requestId), 'state')
  }

  /** Length of the request's log at the last death of a worker that the poison rule has recorded; null for none. */
  async diedAt(requestId: string): Promise<string | null> {
    return await this.#redis.hget(this.#keys.request(requestId), 'diedAt')
  }

  /** Number of registered workers. */
  async workers(): Promise<number> {
    return await this.#redis.hlen(this.#keys.workers)
  }

  /** Claims the prefix for a model, as its workers do. */
  async serveModel(modelHash: string): Promise<void> {
    await this.#redis.set(this.#keys.model, modelHash, 'PX', 60_000)
  }

  /** Keys that workers and BullMQ should have deleted once all requests have ended. */
  async leftovers(): Promise<string[]> {
    const { bullPrefix, bull } = this.#keys
    // BullMQ keeps these for each queue, whatever its number of jobs.
    const status = ['meta', 'events', 'id', 'marker', 'pc', 'stalled-check'].map(bull)
    const left: string[] = []
    for (const key of await this.#redis.keys(`${bullPrefix}:*`)) {
      if (status.includes(key)) continue
      if (key.startsWith(bull('')) || (await this.#redis.pttl(key)) === -1) left.push(key)
    }
    return left
  }

  async close(): Promise<void> {
    await this.#queue.close()
  }
}
