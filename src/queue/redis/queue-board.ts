import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { FastifyAdapter } from '@bull-board/fastify'
import { Queue } from 'bullmq'
import { openRedis } from './connection/connect.ts'
import { shardKeys } from './connection/keys.ts'
import type { RedisAddress } from './connection/redis-url.ts'

export interface QueueBoardOptions {
  readonly address: RedisAddress
  readonly prefix: string
  readonly shards: number
  /** Where it is served, without a slash at the end. */
  readonly path: string
}

/**
 * Bull Board over the queue of each shard: for looking only, since a job that is changed or removed by hand is not what
 * we think it is.
 */
export interface QueueBoard {
  /** For Fastify, to be registered with `path` as prefix. */
  readonly plugin: ReturnType<FastifyAdapter['registerPlugin']>
  close(): Promise<void>
}

export function openQueueBoard({ address, prefix, shards, path }: QueueBoardOptions): QueueBoard {
  // Readers of the queue tell of their trouble; one voice more would say the same.
  const redis = openRedis(address, 'patient', () => {})
  const queues = shardKeys({ prefix, shards }).map(({ queueName, bullPrefix }) => {
    const queue = new Queue(queueName, { connection: redis, prefix: bullPrefix })
    queue.on('error', () => {})
    return queue
  })
  const serverAdapter = new FastifyAdapter().setBasePath(path)
  createBullBoard({
    queues: queues.map((queue, shard) => new BullMQAdapter(queue, { readOnlyMode: true, prefix: shards === 1 ? '' : `shard-${shard}-` })),
    serverAdapter,
    options: { uiConfig: { boardTitle: 'everstream' } }
  })
  const plugin = serverAdapter.registerPlugin()
  return {
    plugin(app, options, done) {
      // Errors are the house's to answer: Bull Board would make a 500 of a refusal.
      Object.defineProperty(app, 'setErrorHandler', { value: () => app })
      plugin(app, options, done)
    },
    async close() {
      redis.disconnect()
      await Promise.all(queues.map(queue => queue.close().catch(() => {})))
    }
  }
}
