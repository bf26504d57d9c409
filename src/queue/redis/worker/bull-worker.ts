import { type Job, Worker } from 'bullmq'
import type { ScriptedRedis } from '../connection/commands.ts'
import type { RedisKeys } from '../connection/keys.ts'

/**
 * A worker that is gone without a word is noticed when its locks have run out, by the check after that: at most the sum
 * of these, twice the check.
 */
const LOCK_MS = 8000
const STALLED_CHECK_MS = 2500

export interface BullWorkerOptions {
  readonly redis: ScriptedRedis
  readonly keys: RedisKeys
  /** Token of our locks. */
  readonly workerId: string
  readonly onError: (error: Error) => void
}

/**
 * A worker's place at BullMQ's queue of one shard. BullMQ knows who waits and who works on what; what a request is, and
 * its state, are ours.
 */
export class BullWorker {
  readonly keys: RedisKeys
  readonly #options: BullWorkerOptions
  #worker: Worker

  constructor(options: BullWorkerOptions) {
    this.keys = options.keys
    this.#options = options
    this.#worker = this.#open()
  }

  /** Looks, from now on, for jobs whose worker is gone. */
  async watch(): Promise<void> {
    await this.#worker.startStalledCheckTimer()
  }

  /** The request that is next; null when none waits. */
  async head(): Promise<string | null> {
    const { redis, keys } = this.#options
    const name = `${keys.bullPrefix}:${keys.queueName}`
    const [stalled, first] = await Promise.all([redis.lindex(`${name}:wait`, -1), redis.zrange(`${name}:prioritized`, '0', '0')])
    return stalled ?? first[0] ?? null
  }

  /** Takes what is next, under our lock; null when another was faster. */
  async take(): Promise<Job | null> {
    return (await this.#worker.getNextJob(this.#options.workerId, { block: false })) ?? null
  }

  /** Its job is done, and BullMQ forgets it. Without effect when the lock is not ours any more. */
  async complete(job: Job): Promise<void> {
    await job.moveToCompleted(null, this.#options.workerId, false).catch(error => this.#excuse(error))
  }

  /** To the front of its priority, for whoever is next. Without effect when the lock is not ours any more. */
  async giveBack(requestId: string): Promise<void> {
    await this.#worker
      .getBackend()
      .moveJobFromActiveToWait(requestId, this.#options.workerId)
      .catch(error => this.#excuse(error))
  }

  /** @returns those whose lock is not ours any more */
  async renew(requestIds: readonly string[]): Promise<readonly string[]> {
    if (requestIds.length === 0) return []
    const tokens = requestIds.map(() => this.#options.workerId)
    return await this.#worker.extendJobLocks([...requestIds], tokens, LOCK_MS)
  }

  /** BullMQ's worker anew, should the old one be stuck. */
  async rebuild(): Promise<void> {
    const stuck = this.#worker
    this.#worker = this.#open()
    void stuck.close(true)
    await this.watch()
  }

  async close(): Promise<void> {
    await this.#worker.close(true)
  }

  #open(): Worker {
    const { redis, keys, onError } = this.#options
    const worker = new Worker(keys.queueName, null, {
      autorun: false,
      connection: redis,
      prefix: keys.bullPrefix,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      // How many deaths a request may survive is our own rule, not BullMQ's.
      maxStalledCount: 1_000_000,
      runRetryDelay: 1000
    })
    worker.on('error', onError)
    return worker
  }

  /** A lost lock has another owner, or none and will stall: either way the request goes on. */
  #excuse(error: unknown): void {
    this.#options.onError(error instanceof Error ? error : new Error(String(error)))
  }
}
