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
  /** URL path of the board, without a slash at the end. */
  readonly path: string
}

/**
 * Bull Board for the queue of each shard, read-only: jobs that are changed by hand would contradict the requests'
 * state.
 */
export interface QueueBoard {
  /** For Fastify, to be registered with `path` as prefix. */
  readonly plugin: ReturnType<FastifyAdapter['registerPlugin']>
  close(): Promise<void>
}

export function openQueueBoard({ address, prefix, shards, path }: QueueBoardOptions): QueueBoard {
  // Errors are ignored: the queue's own connections report the same.
  const redis = openRedis(address, 'waiting', () => {})
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
      // The server's error handler stays in use: Bull Board's would turn a refusal into a 500.
      Object.defineProperty(app, 'setErrorHandler', { value: () => app })
      plugin(app, options, done)
    },
    async close() {
      redis.disconnect()
      await Promise.all(queues.map(queue => queue.close().catch(() => {})))
    }
  }
}
