import type { EngineStatistics } from '../inference/contract/statistics.ts'
import { EmbeddedQueue } from '../queue/embedded/embedded-queue.ts'
import type { GenerationQueue, QueueDepth } from '../queue/queue.ts'
import { RedisQueue } from '../queue/redis/api/redis-queue.ts'
import { describeRedis } from '../queue/redis/connection/redis-url.ts'
import type { QueueBoard, QueueBoardOptions } from '../queue/redis/queue-board.ts'
import { QUEUE_BOARD_PATH } from './app.ts'
import { ExitError } from './config/exit-error.ts'
import type { ServeConfig } from './config/serve-config.ts'
import type { Logger } from './logger.ts'
import { joinRedis } from './workers/join-redis.ts'
import { EXIT_GRACE_MS } from './workers/redis-pool.ts'
import type { ChildPool } from './workers/worker-child.ts'

/** Prompt tokens of all that wait: what they cost in memory. */
const WAITING_TOKENS = 4_000_000
const PLAIN_RETENTION_MS = 60_000
/** While Redis is away, every attempt fails alike. */
const SAME_COMPLAINT_MS = 10_000

/** The queue of a server, in its own memory or in Redis, and the pool that its workers join. */
export interface ServedQueue {
  readonly queue: GenerationQueue
  readonly pool: ChildPool & { readonly handedOn: number }
  /** For people to look at; null unless it was asked for. */
  readonly board: QueueBoard | null
  /** Other servers may have it too: who reads a stream here can read on there. */
  readonly isShared: boolean
  /** Of all workers, anywhere; null where only this server has any. Their sum only grows. */
  readonly statistics: (() => readonly EngineStatistics[]) | null
  /** Workers that are known to live, those of this server among them; 0 where there are no others. */
  readonly workersAnywhere: () => number
  /** Requests in the queue; null while its store is away. */
  readonly depth: () => Promise<QueueDepth | null>
  /** Whether the queue's store answered when it was last asked. */
  readonly isReachable: () => boolean
  /** Workers that have not left so much later than the drain's deadline are killed. */
  readonly exitGraceMs: number
  /** After the drain, and when no worker of this server is left. */
  close(): Promise<void>
}

/** @throws {ExitError} Redis cannot be used, or another model is served there */
export async function openServedQueue(config: ServeConfig, modelHash: string | null, log: Logger): Promise<ServedQueue> {
  const limits = {
    waitingLimit: config.queueLimit,
    waitingTokenLimit: WAITING_TOKENS,
    resumeGraceMs: config.resumeGraceSeconds * 1000,
    retentionMs: PLAIN_RETENTION_MS,
    streamRetentionMs: config.streamRetentionSeconds * 1000
  }
  if (config.redisUrl === null) {
    const queue = new EmbeddedQueue(limits)
    return {
      queue,
      pool: queue,
      board: null,
      isShared: false,
      statistics: null,
      workersAnywhere: () => 0,
      depth: () => queue.depth(),
      isReachable: () => true,
      exitGraceMs: 0,
      close: async () => {}
    }
  }
  const endpoint = { url: config.redisUrl, prefix: config.redisPrefix, shards: config.redisShards }
  const { address, pool } = await joinRedis(
    { endpoint, drainMs: config.drainSeconds * 1000, stepTimeoutMs: config.stepTimeoutSeconds * 1000, logLevel: config.logLevel },
    modelHash,
    log
  )
  let complainedAtMs = Number.NEGATIVE_INFINITY
  const queue = await RedisQueue.open({
    ...limits,
    ...endpoint,
    address,
    onError: err => {
      if (performance.now() - complainedAtMs < SAME_COMPLAINT_MS) return
      complainedAtMs = performance.now()
      log.warn({ err }, 'the queue has trouble with Redis')
    }
  }).catch(async cause => {
    await pool.close()
    throw new ExitError(1, `Redis at ${describeRedis(address)} does not answer any more`, { cause })
  })
  const board = config.admin ? await openBoard({ ...endpoint, address, path: QUEUE_BOARD_PATH }) : null
  return {
    queue,
    pool,
    board,
    isShared: true,
    statistics: () => queue.statistics,
    workersAnywhere: () => queue.workers,
    depth: async () => (queue.isReachable ? await queue.depth().catch(() => null) : null),
    isReachable: () => queue.isReachable,
    exitGraceMs: EXIT_GRACE_MS,
    close: async () => {
      await board?.close()
      await pool.close()
      await queue.close()
    }
  }
}

/** Few servers have one: the others need not load its parts. */
async function openBoard(options: QueueBoardOptions): Promise<QueueBoard> {
  const { openQueueBoard } = await import('../queue/redis/queue-board.ts')
  return openQueueBoard(options)
}
