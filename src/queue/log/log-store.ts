import type { DeliveryPolicy } from '../../inference/contract/delivery-policy.ts'
import { ServiceError } from '../../inference/contract/errors.ts'
import { invariant } from '../../inference/contract/invariant.ts'
import { TokenLog } from './token-log.ts'

export interface LogStoreOptions {
  /** How long the log of a plain request (`onDisconnect: 'cancel'`) can be read after its end. */
  readonly retentionMs: number
  /** The same of all others: their readers may come back. */
  readonly streamRetentionMs: number
  /**
   * Tokens and alternatives in ended logs, all together; beyond it some go before their time, plain ones first, but
   * never the one that has just ended. 1,000 take about 0.2 MB.
   */
  readonly retainedTokens: number
}

export interface StoredLog {
  readonly log: TokenLog
  readonly delivery: DeliveryPolicy
}

/**
 * The logs of all requests with their delivery policies and idempotency keys: live ones as long as they live, ended
 * ones for a while.
 */
export class LogStore {
  readonly #options: LogStoreOptions
  readonly #byId = new Map<string, StoredLog>()
  /** Request ids by owner and idempotency key. */
  readonly #claims = new Map<string, string>()
  /** Ended logs that nobody is likely to come back to, and the others; oldest first, each with the timer of its end. */
  readonly #plain = new Map<string, NodeJS.Timeout>()
  readonly #kept = new Map<string, NodeJS.Timeout>()
  #endedTokens = 0

  constructor(options: LogStoreOptions) {
    this.#options = options
  }

  open(requestId: string, delivery: DeliveryPolicy): TokenLog {
    invariant(!this.#byId.has(requestId), `request ${requestId} was submitted twice`)
    const log = new TokenLog()
    this.#byId.set(requestId, { log, delivery })
    const claim = claimOf(delivery)
    if (claim !== null) this.#claims.set(claim, requestId)
    return log
  }

  /** @throws {ServiceError} `not_found` */
  find(requestId: string): StoredLog {
    const stored = this.#byId.get(requestId)
    if (stored === undefined) throw new ServiceError('not_found', `there is no request ${requestId}, or it ended too long ago`)
    return stored
  }

  /**
   * The request that the delivery policy's idempotency key stands for; null when it is free, or its request has failed
   * or was cancelled.
   *
   * @throws {ServiceError} `idempotency_mismatch`
   */
  claimed(delivery: DeliveryPolicy): string | null {
    const claim = claimOf(delivery)
    const requestId = claim === null ? undefined : this.#claims.get(claim)
    if (requestId === undefined) return null
    const { log, delivery: first } = this.find(requestId)
    if (first.idempotency?.digest !== delivery.idempotency?.digest) {
      throw new ServiceError('idempotency_mismatch', 'the idempotency key was used before with another body')
    }
    return log.hasFailed ? null : requestId
  }

  /** The log has its terminal event: from now on it is kept for a while only. */
  retain(requestId: string): void {
    const { log, delivery } = this.find(requestId)
    const { retentionMs, streamRetentionMs, retainedTokens } = this.#options
    const isPlain = delivery.onDisconnect === 'cancel'
    const timer = setTimeout(() => this.#drop(requestId), isPlain ? retentionMs : streamRetentionMs).unref()
    if (isPlain) this.#plain.set(requestId, timer)
    else this.#kept.set(requestId, timer)
    this.#endedTokens += log.tokens
    for (const ended of [this.#plain, this.#kept]) {
      for (const oldest of ended.keys()) {
        if (this.#endedTokens <= retainedTokens) return
        if (oldest !== requestId) this.#drop(oldest)
      }
    }
  }

  /** Readers that hold the log read it to its end all the same. */
  #drop(requestId: string): void {
    const { log, delivery } = this.find(requestId)
    clearTimeout(this.#plain.get(requestId) ?? this.#kept.get(requestId))
    this.#plain.delete(requestId)
    this.#kept.delete(requestId)
    this.#endedTokens -= log.tokens
    this.#byId.delete(requestId)
    const claim = claimOf(delivery)
    if (claim !== null && this.#claims.get(claim) === requestId) this.#claims.delete(claim)
  }
}

/** Keys of different owners never meet. */
function claimOf({ owner, idempotency }: DeliveryPolicy): string | null {
  return idempotency === null ? null : JSON.stringify([owner, idempotency.key])
}
