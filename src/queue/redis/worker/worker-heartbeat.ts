import type { EngineStatistics } from '../../../inference/contract/statistics.ts'
import type { ScriptedRedis } from '../connection/commands.ts'
import { type RedisKeys, WORKER_TTL_MS } from '../connection/keys.ts'
import { claimModel } from '../connection/model-guard.ts'
import { endRequest } from '../requests/claim.ts'
import type { ExpiryJudge } from '../requests/request-expiry.ts'
import { readWorkers, registerWorker } from '../requests/worker-registry.ts'
import type { BullWorker } from './bull-worker.ts'
import type { HeldRequest, HeldRequests } from './held-requests.ts'

/** A quarter of the duration of a lock. */
const TICK_MS = 2000

export interface WorkerHeartbeatOptions {
  readonly redis: ScriptedRedis
  readonly workerId: string
  readonly shards: readonly RedisKeys[]
  readonly bullWorkers: readonly BullWorker[]
  readonly held: HeldRequests
  readonly expiry: ExpiryJudge
  readonly modelHash: string
  readonly slots: number
  readonly stepTimeoutMs: number
  /** Unix milliseconds at which the current run began; null between runs. */
  readonly stepStartedAtMs: () => number | null
  readonly statistics: () => EngineStatistics | null
  readonly onHang: () => void
  /** The request was ended from outside. */
  readonly onEnded: (request: HeldRequest) => void
  /** In Redis these have another epoch, or do not exist. */
  readonly onDoubt: (requests: readonly HeldRequest[]) => void
  readonly onTick: () => void
  readonly onError: (error: unknown) => void
}

/**
 * Every two seconds, as long as the engine makes progress: renews locks, ends requests that have expired, and registers
 * the worker. A worker whose engine is hung renews nothing: its requests go to another worker even if its process
 * cannot be killed.
 */
export class WorkerHeartbeat {
  readonly #options: WorkerHeartbeatOptions
  #timer: NodeJS.Timeout | null = null
  #lastTickMs = performance.now()
  #keeping: Promise<void> | null = null

  constructor(options: WorkerHeartbeatOptions) {
    this.#options = options
  }

  /** Resolves when the worker is registered. */
  async start(): Promise<void> {
    this.#lastTickMs = performance.now()
    this.#timer = setInterval(() => this.tick(), TICK_MS)
    await this.#keep()
  }

  /** Resolves when the current round has ended. */
  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer)
    await this.#keeping
  }

  tick(): void {
    const { stepStartedAtMs, stepTimeoutMs, onHang, onTick } = this.#options
    const nowMs = performance.now()
    // This process was paused: the age of the run does not prove that the engine is hung.
    const wasPaused = nowMs - this.#lastTickMs > 2 * TICK_MS
    this.#lastTickMs = nowMs
    const startedAtMs = stepStartedAtMs()
    if (startedAtMs !== null && Date.now() - startedAtMs > stepTimeoutMs) {
      if (!wasPaused) onHang()
      return
    }
    onTick()
    void this.#keep()
  }

  /** While Redis is away, a single round waits for it. */
  #keep(): Promise<void> {
    this.#keeping ??= this.#round().finally(() => {
      this.#keeping = null
    })
    return this.#keeping
  }

  async #round(): Promise<void> {
    try {
      await this.#renewLocks()
      await this.#endExpired()
      await this.#register()
    } catch (error) {
      this.#options.onError(error)
    }
  }

  /**
   * A lost lock stays lost. The request continues here until another worker claims it; then the epoch fences this one.
   */
  async #renewLocks(): Promise<void> {
    for (const [bullWorker, requests] of this.#byShard()) await bullWorker.renew(requests.map(({ id }) => id))
  }

  async #endExpired(): Promise<void> {
    const { redis, expiry, onEnded, onDoubt } = this.#options
    for (const [{ keys }, requests] of this.#byShard()) {
      const pipeline = redis.pipeline()
      for (const { id } of requests) pipeline.hmget(keys.request(id), 'epoch', 'leaseUntil', 'deadline')
      const queriedAtMs = Date.now()
      const replies = (await pipeline.exec()) ?? []
      const nowMs = Date.now()
      if (nowMs - queriedAtMs > TICK_MS) expiry.extendAfterOutage(nowMs)
      for (const [index, request] of requests.entries()) {
        const [error, reply] = replies[index] ?? [null, null]
        if (error !== null || !Array.isArray(reply)) continue
        const [epoch, leaseUntil, deadline] = reply
        const end = request.end === null ? expiry.judge(leaseUntil, deadline, nowMs) : null
        if (end !== null) {
          await endRequest(redis, keys, request.id, end)
          onEnded(request)
        } else if (epoch !== String(request.epoch)) onDoubt([request])
      }
    }
  }

  async #register(): Promise<void> {
    const { redis, workerId, shards, held, modelHash, slots, statistics } = this.#options
    await claimModel(redis, shards, modelHash)
    for (const keys of shards) {
      const freeRows = Math.max(0, held.freeRows)
      await registerWorker(redis, keys, { workerId, modelHash, slots, freeRows, seenAtMs: Date.now(), statistics: statistics() })
      await readWorkers(redis, keys, Date.now())
      const ids = held.all.filter(({ bullWorker }) => bullWorker.keys === keys).map(({ id }) => id)
      if (ids.length > 0) await redis.sadd(keys.worker(workerId), ...ids)
      await redis.pexpire(keys.worker(workerId), WORKER_TTL_MS)
    }
  }

  #byShard(): ReadonlyMap<BullWorker, readonly HeldRequest[]> {
    return Map.groupBy(this.#options.held.all, ({ bullWorker }) => bullWorker)
  }
}
