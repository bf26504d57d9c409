import { type Job, Worker } from 'bullmq'
import type { ScriptedRedis } from '../connection/commands.ts'
import type { RedisKeys } from '../connection/keys.ts'

/**
 * A worker that dies without a hand-back is noticed by the first check after its locks have expired: after at most the
 * lock plus two intervals of the check.
 */
const LOCK_MS = 8000
const STALLED_CHECK_MS = 2500

export interface BullWorkerOptions {
  readonly redis: ScriptedRedis
  readonly keys: RedisKeys
  /** Token of the locks. */
  readonly workerId: string
  readonly onError: (error: Error) => void
}

/**
 * A worker's client of BullMQ's queue of one shard. BullMQ keeps the order of waiting jobs and the locks of active
 * ones; requests and their state are in the keys of `keys.ts`.
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

  /** Starts the periodic check for jobs whose locks have expired. */
  async watch(): Promise<void> {
    await this.#worker.startStalledCheckTimer()
  }

  /** Id of the next request; null when none waits. */
  async head(): Promise<string | null> {
    const { redis, keys } = this.#options
    const [stalled, first] = await Promise.all([redis.lindex(keys.bull('wait'), -1), redis.zrange(keys.bull('prioritized'), '0', '0')])
    return stalled ?? first[0] ?? null
  }

  /** Takes the next job and locks it; null when another worker was faster. */
  async take(): Promise<Job | null> {
    return (await this.#worker.getNextJob(this.#options.workerId, { block: false })) ?? null
  }

  /** Completes the job, which BullMQ then deletes. Without effect when this worker has lost the lock. */
  async complete(job: Job): Promise<void> {
    await job.moveToCompleted(null, this.#options.workerId, false).catch(error => this.#report(error))
  }

  /** Returns the job to the front of its priority. Without effect when this worker has lost the lock. */
  async giveBack(requestId: string): Promise<void> {
    await this.#worker
      .getBackend()
      .moveJobFromActiveToWait(requestId, this.#options.workerId)
      .catch(error => this.#report(error))
  }

  /** @returns ids of the jobs whose lock this worker has lost */
  async renew(requestIds: readonly string[]): Promise<readonly string[]> {
    if (requestIds.length === 0) return []
    const tokens = requestIds.map(() => this.#options.workerId)
    return await this.#worker.extendJobLocks([...requestIds], tokens, LOCK_MS)
  }

  /** Replaces BullMQ's worker, which may be stuck. */
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
      // The poison rule, not BullMQ, limits how often a job may lose its worker.
      maxStalledCount: 1_000_000,
      runRetryDelay: 1000
    })
    worker.on('error', onError)
    return worker
  }

  /** A lost lock has another owner, or none and the job will stall: in both cases the request continues. */
  #report(error: unknown): void {
    this.#options.onError(error instanceof Error ? error : new Error(String(error)))
  }
}
