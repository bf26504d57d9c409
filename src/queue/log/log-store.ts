import type { DeliveryPolicy } from '../../inference/contract/delivery-policy.ts'
import { invariant } from '../../inference/contract/invariant.ts'
import { idempotencyMismatch, requestNotFound } from '../failures.ts'
import { TokenLog } from './token-log.ts'

export interface LogStoreOptions {
  /** How long the log of a plain request (`onDisconnect: 'cancel'`) is kept after its end. */
  readonly retentionMs: number
  /** The same for all other requests, whose readers may reconnect. */
  readonly streamRetentionMs: number
  /**
   * Tokens and alternatives in all ended logs together. Beyond this limit logs are dropped early, those of plain
   * requests first, but never the one that has just ended. 1,000 take about 0.2 MB.
   */
  readonly retainedTokens: number
}

export interface StoredLog {
  readonly log: TokenLog
  readonly delivery: DeliveryPolicy
}

/**
 * The logs of all requests that have not ended or ended a short time ago, with their delivery policies and idempotency
 * keys.
 */
export class LogStore {
  readonly #options: LogStoreOptions
  readonly #byId = new Map<string, StoredLog>()
  /** Request ids by owner and idempotency key. */
  readonly #claims = new Map<string, string>()
  /** Ended logs of plain requests, oldest first, with the timers that drop them. */
  readonly #plain = new Map<string, NodeJS.Timeout>()
  /** Ended logs of all other requests. */
  readonly #resumable = new Map<string, NodeJS.Timeout>()
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
    if (stored === undefined) throw requestNotFound(requestId)
    return stored
  }

  /**
   * The request with the delivery policy's idempotency key; null when the key is unused, or when its request has failed
   * or was cancelled.
   *
   * @throws {ServiceError} `idempotency_mismatch`
   */
  claimed(delivery: DeliveryPolicy): string | null {
    const claim = claimOf(delivery)
    const requestId = claim === null ? undefined : this.#claims.get(claim)
    if (requestId === undefined) return null
    const { log, delivery: first } = this.find(requestId)
    if (first.idempotency?.digest !== delivery.idempotency?.digest) throw idempotencyMismatch()
    return log.hasFailed ? null : requestId
  }

  /** Starts the retention time of a log that has its terminal event. */
  retain(requestId: string): void {
    const { log, delivery } = this.find(requestId)
    const { retentionMs, streamRetentionMs, retainedTokens } = this.#options
    const isPlain = delivery.onDisconnect === 'cancel'
    const timer = setTimeout(() => this.#drop(requestId), isPlain ? retentionMs : streamRetentionMs).unref()
    if (isPlain) this.#plain.set(requestId, timer)
    else this.#resumable.set(requestId, timer)
    this.#endedTokens += log.tokens
    for (const ended of [this.#plain, this.#resumable]) {
      for (const oldest of ended.keys()) {
        if (this.#endedTokens <= retainedTokens) return
        if (oldest !== requestId) this.#drop(oldest)
      }
    }
  }

  /** Readers that have opened the log before can still read it to its end. */
  #drop(requestId: string): void {
    const { log, delivery } = this.find(requestId)
    clearTimeout(this.#plain.get(requestId) ?? this.#resumable.get(requestId))
    this.#plain.delete(requestId)
    this.#resumable.delete(requestId)
    this.#endedTokens -= log.tokens
    this.#byId.delete(requestId)
    const claim = claimOf(delivery)
    if (claim !== null && this.#claims.get(claim) === requestId) this.#claims.delete(claim)
  }
}

/** Keys of different owners are different claims. */
function claimOf({ owner, idempotency }: DeliveryPolicy): string | null {
  return idempotency === null ? null : JSON.stringify([owner, idempotency.key])
}
