import { type Failure, ServiceError } from '../../../inference/contract/errors.ts'
import { type GenerationRequest, reservedRows } from '../../../inference/contract/request.ts'
import { queueFull } from '../../failures.ts'
import type { AdmissionParameters } from '../requests/request-store.ts'
import { readWorkers, type WorkerInfo } from '../requests/worker-registry.ts'
import { claimKey } from './idempotency.ts'
import type { Shard } from './shard.ts'

export interface AdmissionLimits {
  /** Requests that may wait in each shard. */
  readonly waitingLimit: number
  /** Prompt tokens of all waiting requests of a shard; one request alone may exceed it. */
  readonly waitingTokenLimit: number
  /** How long the log of a plain request (`onDisconnect: 'cancel'`) can be read after its end. */
  readonly retentionMs: number
  /** The same for all other requests: their readers may reconnect. */
  readonly streamRetentionMs: number
}

export interface AdmissionOptions extends AdmissionLimits {
  readonly shards: readonly Shard[]
  /** The shard of a request or of an idempotency key. */
  readonly shardOf: (text: string) => Shard
  /** For a request that is admitted now. */
  readonly leaseUntilMs: () => number
}

/** Admits requests to the queue in Redis. */
export class Admission {
  readonly #options: AdmissionOptions

  constructor(options: AdmissionOptions) {
    this.#options = options
  }

  /**
   * @param refusal  why no new request is admitted, or null; the holder of an idempotency key is returned all the same
   * @returns        the id of the request, or of the request that holds its idempotency key
   * @throws {ServiceError} `queue_full`, `unavailable`, `idempotency_mismatch`; and errors of Redis while it is away
   */
  async submit(request: GenerationRequest, refusal: string | null): Promise<string> {
    const { shardOf } = this.#options
    const { id, delivery } = request
    const keyStore = shardOf(`${delivery.owner} ${delivery.idempotency?.key}`).store
    const claim = await claimKey(request, keyStore, requestId => shardOf(requestId).store)
    if (claim !== null && 'heldBy' in claim) return claim.heldBy
    try {
      if (refusal !== null) throw new ServiceError('unavailable', refusal)
      await this.#admit(request)
    } catch (error) {
      if (claim !== null && delivery.idempotency !== null) {
        await keyStore.releaseIdempotency(delivery.owner, delivery.idempotency.key, claim.value).catch(() => {})
      }
      throw error
    }
    return id
  }

  /** All live workers; each is registered in every shard. */
  async workers(): Promise<readonly WorkerInfo[]> {
    const { redis, keys } = this.#options.shardOf('').store
    return await readWorkers(redis, keys, Date.now())
  }

  async #admit(request: GenerationRequest): Promise<void> {
    const { waitingLimit, waitingTokenLimit, retentionMs, streamRetentionMs, leaseUntilMs, shardOf } = this.#options
    const shard = shardOf(request.id)
    const { onDisconnect } = request.delivery
    const parameters = {
      leaseUntilMs: onDisconnect === 'run' ? 0 : leaseUntilMs(),
      waitingLimit,
      waitingTokenLimit,
      freeRows: 0,
      seenWaiting: 0,
      rows: reservedRows(request),
      retentionMs: onDisconnect === 'cancel' ? retentionMs : streamRetentionMs
    }
    let verdict = await shard.store.admit(request, parameters)
    if (!verdict.ok) verdict = await shard.store.admit(request, { ...parameters, ...(await this.#freeRows(parameters.rows)) })
    if (!verdict.ok) {
      throw queueFull({ requests: verdict.waiting, promptTokens: verdict.tokens }, this.#options)
    }
    try {
      await shard.waitQueue.add(request)
    } catch (error) {
      const failure: Failure = { code: 'unavailable', message: 'the queue became unavailable while it admitted the request', param: null }
      await shard.end(request.id, failure).catch(() => {})
      throw error
    }
  }

  /**
   * Rows of all workers that no request uses. A request with more choices than a worker has rows uses all rows of that
   * worker.
   */
  async #freeRows(needed: number): Promise<Pick<AdmissionParameters, 'freeRows' | 'seenWaiting' | 'rows'>> {
    const workers = await this.workers()
    const widest = Math.max(0, ...workers.map(({ slots }) => slots))
    const live = await Promise.all(this.#options.shards.map(shard => shard.live()))
    const statuses = live.flatMap(({ statuses }) => [...statuses.values()])
    const running = statuses.filter(({ state }) => state === 'running')
    const taken = running.reduce((sum, { weight }) => sum + Math.min(weight, widest), 0)
    return {
      freeRows: workers.reduce((sum, { slots }) => sum + slots, 0) - taken,
      seenWaiting: statuses.filter(({ state }) => state === 'waiting').length,
      rows: Math.min(needed, widest)
    }
  }
}
