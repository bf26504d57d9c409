import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { DeliveryPolicy } from '../../../inference/contract/delivery-policy.ts'
import { type Failure, ServiceError } from '../../../inference/contract/errors.ts'
import { isTerminal, type LogEntry } from '../../../inference/contract/events.ts'
import { InvariantError } from '../../../inference/contract/invariant.ts'
import type { GenerationRequest } from '../../../inference/contract/request.ts'
import type { EngineStatistics } from '../../../inference/contract/statistics.ts'
import { FAILURES, requestNotFound, SHUTTING_DOWN } from '../../failures.ts'
import type { GenerationQueue, QueueDepth, QueueEvent, RequestSnapshot } from '../../queue.ts'
import { StartEstimate } from '../../start-estimate.ts'
import { openRedis } from '../connection/connect.ts'
import { shardKeys, shardOf } from '../connection/keys.ts'
import type { RedisAddress } from '../connection/redis-url.ts'
import { Admission, type AdmissionLimits } from './admission.ts'
import { FleetStatistics } from './fleet-statistics.ts'
import { Leases } from './leases.ts'
import { OwnRequests } from './own-requests.ts'
import { Shard } from './shard.ts'

export interface RedisQueueOptions extends AdmissionLimits {
  readonly address: RedisAddress
  /** Prefix of all keys of the queue. */
  readonly prefix: string
  /** The same for all processes that share a prefix. */
  readonly shards: number
  /** How long a request runs without a reader, unless its `onDisconnect` is `run`. */
  readonly resumeGraceMs: number
  /** Called repeatedly while Redis is away or its data is invalid. */
  readonly onError: (error: unknown) => void
}

/** Precision of positions, deadlines and leases. */
const TICK_MS = 500
const CONNECT_LOOK_MS = 20

/** The queue in Redis, for one API process. Any number of API processes and workers share the requests. */
export class RedisQueue implements GenerationQueue {
  readonly #options: RedisQueueOptions
  readonly #shards: readonly Shard[]
  readonly #estimate = new StartEstimate()
  readonly #leases: Leases
  readonly #own: OwnRequests
  readonly #admission: Admission
  /** Cancels that have not reached Redis yet. */
  readonly #uncancelled = new Set<string>()
  readonly #ticker: NodeJS.Timeout
  #ticking: Promise<void> | null = null
  #workers = 0
  #isReachable = true
  readonly #fleet = new FleetStatistics()
  /** Why no request is admitted any more; null while requests are admitted. */
  #refusal: string | null = null

  /**
   * Resolves when Redis replies.
   *
   * @throws {ServiceError} `unavailable` when it does not reply within `withinMs`
   */
  static async open(options: RedisQueueOptions, withinMs = 5000): Promise<RedisQueue> {
    const queue = new RedisQueue(options)
    const untilMs = performance.now() + withinMs
    for (;;) {
      try {
        await queue.depth()
        return queue
      } catch (error) {
        if (performance.now() > untilMs) {
          await queue.close()
          throw error
        }
        await pause(CONNECT_LOOK_MS)
      }
    }
  }

  private constructor(options: RedisQueueOptions) {
    const { address, resumeGraceMs, onError } = options
    this.#options = options
    const apiId = randomUUID()
    this.#shards = shardKeys(options).map(
      keys =>
        new Shard({
          commands: openRedis(address, 'prompt', onError),
          blocking: openRedis(address, 'blocking', onError),
          keys,
          apiId,
          estimate: this.#estimate,
          onError
        })
    )
    this.#own = new OwnRequests(id => this.#shard(id))
    this.#leases = new Leases({ graceMs: resumeGraceMs, renewLeases: (ids, untilMs) => this.#renewLeases(ids, untilMs) })
    this.#admission = new Admission({
      ...options,
      shardOf: text => this.#shard(text),
      shards: this.#shards,
      leaseUntilMs: () => this.#leases.leaseUntilMs
    })
    this.#ticker = setInterval(() => this.#tick(), TICK_MS).unref()
  }

  /** Number of all live workers at the last tick; 0 while Redis is away. */
  get workers(): number {
    return this.#workers
  }

  /** Whether Redis replied at the last tick. */
  get isReachable(): boolean {
    return this.#isReachable
  }

  /**
   * Statistics of all workers at the last tick, and the last counters that this process has read of workers that are
   * gone.
   */
  get statistics(): readonly EngineStatistics[] {
    return this.#fleet.all
  }

  async submit(request: GenerationRequest): Promise<string> {
    const id = await reached(this.#admission.submit(request, this.#refusal))
    if (id === request.id && request.delivery.onDisconnect === 'cancel') this.#own.add(id)
    return id
  }

  async deliveryPolicy(requestId: string): Promise<DeliveryPolicy> {
    const delivery = await reached(this.#shard(requestId).store.deliveryPolicy(requestId))
    if (delivery === null) throw requestNotFound(requestId)
    return delivery
  }

  async snapshot(requestId: string): Promise<RequestSnapshot> {
    const delivery = await this.deliveryPolicy(requestId)
    const queued = await reached(this.#shard(requestId).queued(requestId))
    const end = await reached(this.#shard(requestId).store.lastEntry(requestId))
    return {
      delivery,
      queued,
      last: end?.ordinal ?? 0,
      end: end !== null && isTerminal(end.event) ? end.event : null,
      ...(this.#shard(requestId).reconnects.isRecent && { mayGrowBack: true })
    }
  }

  async entries(requestId: string, afterOrdinal: number): Promise<readonly LogEntry[]> {
    const { store } = this.#shard(requestId)
    const entries = await reached(store.page(requestId, afterOrdinal))
    if (entries.length === 0) await this.deliveryPolicy(requestId)
    return entries
  }

  async *events(requestId: string, afterOrdinal: number, signal: AbortSignal): AsyncGenerator<readonly QueueEvent[], void, undefined> {
    const batches = this.#shard(requestId).reader.read(requestId, afterOrdinal, signal)
    this.#leases.addReader(requestId)
    try {
      for (;;) {
        const next = await reached(batches.next())
        if (next.done === true) return
        yield next.value
      }
    } finally {
      this.#leases.removeReader(requestId)
      await batches.return()
    }
  }

  async cancel(requestId: string): Promise<void> {
    this.#uncancelled.add(requestId)
    await this.#cancelAll().catch(this.#options.onError)
  }

  async position(requestId: string): Promise<number | null> {
    return (await reached(this.#shard(requestId).queued(requestId)))?.position ?? null
  }

  async depth(): Promise<QueueDepth> {
    const live = await reached(Promise.all(this.#shards.map(shard => shard.live())))
    const states = live.flatMap(({ statuses }) => [...statuses.values()].map(({ state }) => state))
    return { waiting: states.filter(state => state === 'waiting').length, running: states.filter(state => state === 'running').length }
  }

  /**
   * Requests of other processes continue, and so do requests of this process that can be resumed. The plain ones fail
   * when `signal` aborts.
   */
  async drain(signal: AbortSignal): Promise<void> {
    this.#refusal ??= SHUTTING_DOWN
    await this.#own.ended(signal)
    for (const id of this.#own.ids) await this.#end(id, FAILURES.unfinished)
  }

  /** Closes the connections. Remaining readers would wait for ever, so drain first. */
  async close(): Promise<void> {
    clearInterval(this.#ticker)
    this.#leases.close()
    await this.#ticking
    await Promise.all(this.#shards.map(shard => shard.close()))
  }

  async #end(requestId: string, failure: Failure): Promise<void> {
    await this.#shard(requestId).end(requestId, failure).catch(this.#options.onError)
  }

  /** Includes cancels that failed before. */
  async #cancelAll(): Promise<void> {
    for (const id of this.#uncancelled) {
      await this.#shard(id).end(id, FAILURES.cancelled)
      this.#uncancelled.delete(id)
    }
  }

  async #renewLeases(requestIds: readonly string[], leaseUntilMs: number): Promise<void> {
    const byShard = Map.groupBy(requestIds, id => this.#shard(id))
    await Promise.all([...byShard].map(([shard, ids]) => shard.store.renewLeases(ids, leaseUntilMs)))
  }

  #tick(): void {
    this.#ticking ??= this.#tickNow()
      .catch(error => {
        this.#workers = 0
        this.#isReachable = false
        this.#options.onError(error)
      })
      .finally(() => {
        this.#ticking = null
      })
  }

  async #tickNow(): Promise<void> {
    await this.#cancelAll()
    await Promise.all(this.#shards.map(shard => shard.tick()))
    await this.#own.forgetEnded()
    const workers = await this.#admission.workers()
    this.#workers = workers.length
    this.#isReachable = true
    this.#fleet.update(
      new Map(
        workers.flatMap(({ workerId, statistics }): [string, EngineStatistics][] => (statistics === null ? [] : [[workerId, statistics]]))
      )
    )
  }

  #shard(text: string): Shard {
    const shard = this.#shards[shardOf(text, this.#shards.length)]
    if (shard === undefined) throw new InvariantError('there is no such shard')
    return shard
  }
}

/** @throws {ServiceError} `unavailable` in place of errors of Redis */
async function reached<Value>(answer: Promise<Value>): Promise<Value> {
  try {
    return await answer
  } catch (cause) {
    if (cause instanceof ServiceError || cause instanceof InvariantError) throw cause
    throw new ServiceError('unavailable', 'the queue cannot be reached', { cause })
  }
}
