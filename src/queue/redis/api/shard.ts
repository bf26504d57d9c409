import type { Failure } from '../../../inference/contract/errors.ts'
import type { LogEntry, QueuedEvent } from '../../../inference/contract/events.ts'
import type { StartEstimate } from '../../start-estimate.ts'
import type { ScriptedRedis } from '../connection/commands.ts'
import type { RedisKeys } from '../connection/keys.ts'
import { ExpiryJudge } from '../requests/request-expiry.ts'
import { type RequestStatus, RequestStore } from '../requests/request-store.ts'
import { BullWaitQueue, type ShardRequests } from './bull-wait-queue.ts'
import { LogReader } from './log-reader.ts'
import { ReconnectTracker } from './verify-logs.ts'

/** Consecutive ticks that find an admitted request without a job, until a job is added again. */
const LOST_AFTER_TICKS = 4

export interface ShardOptions {
  readonly commands: ScriptedRedis
  readonly blocking: ScriptedRedis
  readonly keys: RedisKeys
  readonly apiId: string
  readonly estimate: StartEstimate
  readonly onError: (error: unknown) => void
}

/** One shard, for one API process: its requests, their logs, and the queue of jobs. */
export class Shard {
  readonly store: RequestStore
  readonly waitQueue: BullWaitQueue
  readonly reader: LogReader
  readonly reconnects: ReconnectTracker
  readonly #options: ShardOptions
  readonly #expiry = new ExpiryJudge()
  /** Consecutive ticks that found no job for the request. */
  readonly #missed = new Map<string, number>()

  constructor(options: ShardOptions) {
    const { commands, blocking, keys, apiId, onError } = options
    this.#options = options
    this.store = new RequestStore(commands, keys)
    this.reconnects = new ReconnectTracker(commands)
    this.waitQueue = new BullWaitQueue(this.store, onError)
    this.reader = new LogReader({ store: this.store, blocking, apiId, onEntries: entries => this.#learn(entries), onError })
  }

  /** Ends a waiting or running request; without effect when it has ended or does not exist. */
  async end(requestId: string, failure: Failure): Promise<void> {
    if (await this.store.end(requestId, failure)) await this.waitQueue.remove(requestId)
  }

  /** All requests that have not ended. */
  async live(): Promise<{ readonly waitQueue: ShardRequests; readonly statuses: ReadonlyMap<string, RequestStatus> }> {
    const waitQueue = await this.waitQueue.read()
    const ids = [...new Set([...waitQueue.admitted, ...waitQueue.waiting, ...waitQueue.active])]
    const statuses = await this.store.statuses(ids)
    return { waitQueue, statuses: new Map(ids.flatMap((id, index) => (statuses[index] ? [[id, statuses[index]]] : []))) }
  }

  /** The position of a request, as its readers receive it; null when it does not wait. */
  async queued(requestId: string): Promise<QueuedEvent | null> {
    const { waitQueue, statuses } = await this.live()
    return inOrder(waitQueue, statuses).indexOf(requestId) < 0 ? null : this.#queuedAt(waitQueue, statuses, requestId)
  }

  /** To be called periodically: emits positions to readers, ends expired requests, restores lost jobs. */
  async tick(): Promise<void> {
    try {
      const { waitQueue, statuses } = await this.live()
      this.#emitPositions(waitQueue, statuses)
      await this.#endOverdue(statuses)
      await this.#restoreLost(waitQueue, statuses)
    } catch (error) {
      this.#expiry.extendAfterOutage(Date.now())
      throw error
    }
  }

  async close(): Promise<void> {
    await this.reader.close()
    await this.waitQueue.close()
    this.#options.commands.disconnect()
  }

  #emitPositions(waitQueue: ShardRequests, statuses: ReadonlyMap<string, RequestStatus>): void {
    for (const tail of this.reader.tails) tail.setQueued(this.#queuedAt(waitQueue, statuses, tail.requestId))
  }

  #queuedAt(waitQueue: ShardRequests, statuses: ReadonlyMap<string, RequestStatus>, requestId: string): QueuedEvent | null {
    const index = inOrder(waitQueue, statuses).indexOf(requestId)
    if (index < 0) return null
    const running = [...statuses.values()].filter(({ state }) => state === 'running').length
    return { kind: 'queued', position: index + 1, etaMs: this.#options.estimate.etaMs(index + 1, running) }
  }

  async #endOverdue(statuses: ReadonlyMap<string, RequestStatus>): Promise<void> {
    const nowMs = Date.now()
    for (const [requestId, { state, leaseUntilMs, deadlineMs }] of statuses) {
      const expiry = this.#expiry.judge(String(leaseUntilMs), String(deadlineMs), nowMs)
      if (expiry !== null && (state === 'waiting' || state === 'running')) await this.end(requestId, expiry)
    }
  }

  /** A request has no job when its API process died between two writes, or when Redis has lost the job. */
  async #restoreLost({ admitted, waiting, active }: ShardRequests, statuses: ReadonlyMap<string, RequestStatus>): Promise<void> {
    const placed = new Set([...waiting, ...active])
    const lost = admitted.filter(id => !placed.has(id))
    for (const id of this.#missed.keys()) if (!lost.includes(id)) this.#missed.delete(id)
    for (const id of lost) {
      const ticks = (this.#missed.get(id) ?? 0) + 1
      this.#missed.set(id, ticks)
      if (ticks < LOST_AFTER_TICKS) continue
      this.#missed.delete(id)
      const delivery = statuses.get(id)?.state === 'waiting' ? await this.store.deliveryPolicy(id) : null
      if (delivery === null) await this.store.redis.hdel(this.store.keys.waiting, id)
      else await this.waitQueue.add({ id, delivery })
    }
  }

  #learn(entries: readonly LogEntry[]): void {
    for (const { event } of entries) {
      if (event.kind === 'finished') this.#options.estimate.took(event.timings.prefillMs + event.timings.decodeMs)
    }
  }
}

/** Waiting requests in order, without jobs whose request has ended. */
function inOrder(waitQueue: ShardRequests, statuses: ReadonlyMap<string, RequestStatus>): readonly string[] {
  return waitQueue.waiting.filter(id => statuses.get(id)?.state === 'waiting')
}
