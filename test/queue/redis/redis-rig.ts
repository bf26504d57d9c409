import { randomUUID } from 'node:crypto'
import { RedisQueue, type RedisQueueOptions } from '../../../src/queue/redis/api/redis-queue.ts'
import { redisKeys, shardKeys } from '../../../src/queue/redis/connection/keys.ts'
import { parseRedisUrl } from '../../../src/queue/redis/connection/redis-url.ts'
import { HandBackDesk } from '../../../src/queue/redis/requests/hand-back.ts'
import type { RigOptions, RigWorker } from '../rig.ts'
import { openWorker } from './a-worker.ts'
import type { RedisServer } from './redis-server.ts'

/** One queue in a Redis that other tests may use too. Its API processes and workers are parts of this process. */
export class RedisRig implements AsyncDisposable {
  readonly prefix = `test-${randomUUID()}`
  #queue: RedisQueue | null = null
  readonly #server: RedisServer
  readonly #options: Partial<RigOptions & RedisQueueOptions>
  readonly #ends: (() => Promise<void>)[] = []

  private constructor(server: RedisServer, options: Partial<RigOptions & RedisQueueOptions> = {}) {
    this.#server = server
    this.#options = options
  }

  static async open(server: RedisServer, options: Partial<RigOptions & RedisQueueOptions> = {}): Promise<RedisRig> {
    const rig = new RedisRig(server, options)
    rig.#queue = await rig.openQueue()
    return rig
  }

  get queue(): RedisQueue {
    if (this.#queue === null) throw new Error('the rig is not open')
    return this.#queue
  }

  get keys() {
    return redisKeys(this.prefix, 0)
  }

  /** Opens the queue as another API process does. */
  async openQueue(url = this.#server.url): Promise<RedisQueue> {
    const address = parseRedisUrl(url)
    if (address === null) throw new Error('no address of Redis')
    const queue = await RedisQueue.open({
      prefix: this.prefix,
      shards: 1,
      waitingLimit: 100,
      waitingTokenLimit: 4_000_000,
      resumeGraceMs: 60_000,
      retentionMs: 60_000,
      streamRetentionMs: 60_000,
      onError: () => {},
      ...this.#options,
      address
    })
    this.#ends.push(async () => {
      await queue.drain(AbortSignal.abort())
      await queue.close()
    })
    return queue
  }

  async startWorker(slots: number, stepMs = 0): Promise<RigWorker> {
    const [redis, subscriber] = [this.#server.connect(), this.#server.connect()]
    const shards = shardKeys({ prefix: this.prefix, shards: this.#options.shards ?? 1 })
    const { worker, engine, workerId } = await openWorker({ redis, subscriber, shards, slots, stepMs })
    let isGone = false
    const leave = async (): Promise<void> => {
      if (isGone) return
      isGone = true
      await worker.drain(AbortSignal.abort()).catch(() => {})
      await engine.close()
      redis.disconnect()
      subscriber.disconnect()
    }
    this.#ends.push(leave)
    return {
      engine,
      kill: async () => {
        // Commands that are sent arrive: the socket of a killed process is read to its end.
        await redis.ping()
        redis.disconnect()
        subscriber.disconnect()
        await leave()
        const supervisor = this.#server.connect()
        const desk = new HandBackDesk(supervisor, [this.keys])
        await desk.handBackAll(workerId)
        await desk.close()
        supervisor.disconnect()
      }
    }
  }

  /** Remaining keys with the rig's prefix, without those that BullMQ keeps once for each queue. */
  async keysLeft(): Promise<string[]> {
    const redis = this.#server.connect()
    const once = ['meta', 'events', 'id', 'marker', 'pc', 'stalled-check'].map(name => this.keys.bull(name))
    const all = await redis.keys(`${this.prefix}:*`)
    redis.disconnect()
    return all.filter(key => !once.includes(key)).sort()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#ends.map(end => end()))
  }
}
