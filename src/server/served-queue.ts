import type { EngineStatistics } from '../inference/contract/statistics.ts'
import { EmbeddedQueue } from '../queue/embedded/embedded-queue.ts'
import type { GenerationQueue, QueueDepth } from '../queue/queue.ts'
import { RedisQueue } from '../queue/redis/api/redis-queue.ts'
import { describeRedis } from '../queue/redis/connection/redis-url.ts'
import type { QueueBoard, QueueBoardOptions } from '../queue/redis/queue-board.ts'
import { QUEUE_BOARD_PATH } from './app.ts'
import { ExitError } from './config/exit-error.ts'
import type { ServeConfig } from './config/serve-config.ts'
import { type Logger, withoutRepeats } from './logger.ts'
import { joinRedis } from './workers/join-redis.ts'
import { EXIT_GRACE_MS } from './workers/redis-pool.ts'
import type { ChildPool } from './workers/worker-child.ts'

/** Limit on the prompt tokens of all waiting requests, as they are held in memory. */
const WAITING_TOKENS = 4_000_000
const PLAIN_RETENTION_MS = 60_000

/** The queue of a server, in memory or in Redis, and the pool of its workers. */
export interface ServedQueue {
  readonly queue: GenerationQueue
  readonly pool: ChildPool & { readonly handedOn: number }
  /** The queue UI; null unless --admin is set. */
  readonly board: QueueBoard | null
  /** Whether other servers may use the queue too, so that clients can resume a stream at another server. */
  readonly isShared: boolean
  /**
   * Statistics of all workers of the queue, whose summed counters are monotonic; null if all workers belong to this
   * server.
   */
  readonly statistics: (() => readonly EngineStatistics[]) | null
  /** Number of live workers of the queue, those of this server included; 0 for the embedded queue. */
  readonly workersAnywhere: () => number
  /** Requests in the queue; null while Redis is unreachable. */
  readonly depth: () => Promise<QueueDepth | null>
  /** Whether Redis answered the last command. */
  readonly isReachable: () => boolean
  /** Time after the deadline of the drain at which remaining workers are killed. */
  readonly exitGraceMs: number
  /** Call after the drain, when no worker of this server is left. */
  close(): Promise<void>
}

/** @throws {ExitError} Redis is unusable, or its queue serves a different model */
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
  const queue = await RedisQueue.open({
    ...limits,
    ...endpoint,
    address,
    onError: withoutRepeats(err => log.warn({ err }, 'Redis error in the queue'))
  }).catch(async cause => {
    await pool.close()
    throw new ExitError(1, `Redis at ${describeRedis(address)} stopped responding`, { cause })
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

/** Imported on demand: most servers do not use it. */
async function openBoard(options: QueueBoardOptions): Promise<QueueBoard> {
  const { openQueueBoard } = await import('../queue/redis/queue-board.ts')
  return openQueueBoard(options)
}
