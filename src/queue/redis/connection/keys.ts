import { createHash } from 'node:crypto'

/**
 * TTL of a request and its log until the request ends. Every reader, claim and append renews it, so this is how long
 * forgotten requests remain.
 */
export const REQUEST_TTL_MS = 3_600_000
/** TTL of a worker's keys and of the model's name. Workers renew it every few seconds. */
export const WORKER_TTL_MS = 60_000

const QUEUE_NAME = 'generation'

/** Names of all keys and channels of the queue; no other file builds one. Each states who deletes it, or its TTL. */
export interface RedisKeys {
  /** Prefix of each key that BullMQ makes. */
  readonly bullPrefix: string
  /** BullMQ's queue of this shard. BullMQ deletes a job's keys when the job is completed. */
  readonly queueName: string
  /** A key of that queue, as BullMQ names it: `wait`, `prioritized`, `active`, `<job id>:lock`. */
  bull(name: string): string
  /**
   * Hash: a request and its state. TTL, renewed while it waits, runs or is read; the retention after its end. Fields:
   *
   * - `body` JSON of the GenerationRequest; `delivery` JSON of its DeliveryPolicy, for readers that need no more
   * - `state` waiting, running, finished, failed or cancelled; `worker` id of the worker that claimed it last
   * - `epoch` grows with each claim, each hand-back and each end from outside its worker
   * - `weight` rows that are reserved for it; `tokens` number of its prompt tokens
   * - `last` ordinal of the log's last entry; 0 for none
   * - `leaseUntil` Unix ms, 0 for ever; `deadline` Unix ms, 0 for none
   * - `retention` ms for which the request and its log are kept after the end
   * - `inRun` epoch in which its worker's current run computes for it; -1 for none
   * - `advanced` epoch in which something of it was computed; -1 for none
   * - `deaths`, `fruitless`, `unstarted`, `diedAt` the DeathRecord of the poison rule: `counted`, the same, the same,
   *   `logEntries`
   */
  request(requestId: string): string
  /** Stream: the token log, ids `<ordinal>-0`, field `e` JSON of the event. TTL as of the request. */
  log(requestId: string): string
  /** Hash, request id → prompt tokens, of all that wait. A field is deleted when its request is claimed or ends. */
  readonly waiting: string
  /** Set of the requests that a worker runs. TTL, renewed by the worker, which deletes it when it leaves. */
  worker(workerId: string): string
  /** Hash, worker id → JSON of its WorkerInfo. A field is deleted when its worker leaves or stops reporting. */
  readonly workers: string
  /** Stream of one entry: ends the blocking read of an API process. TTL, renewed by that process. */
  wake(apiId: string): string
  /**
   * String, `<digest> <request id> <Unix ms>`: the request that holds an idempotency key, and since when. Deleted when
   * the request is not admitted; else TTL, `REQUEST_TTL_MS`.
   */
  idempotency(owner: string, key: string): string
  /** String: hash of the model that this prefix serves. Set by the first worker or server; TTL, renewed by all. */
  readonly model: string
  /** Pub/Sub channel: there may be work to claim. */
  readonly workChannel: string
  /** Pub/Sub channel: id of a request that was ended from outside its worker. */
  readonly endChannel: string
}

/** Keys of each shard, in order. */
export function shardKeys({ prefix, shards }: { readonly prefix: string; readonly shards: number }): readonly RedisKeys[] {
  return Array.from({ length: shards }, (_, shard) => redisKeys(prefix, shard))
}

/**
 * Keys of one shard. They share the hash tag `{s<k>}`: a cluster keeps them in one slot, so a script may use several.
 */
export function redisKeys(prefix: string, shard: number): RedisKeys {
  const tag = `${prefix}:{s${shard}}`
  return {
    bullPrefix: tag,
    queueName: QUEUE_NAME,
    bull: name => `${tag}:${QUEUE_NAME}:${name}`,
    request: requestId => `${tag}:request:${requestId}`,
    log: requestId => `${tag}:log:${requestId}`,
    waiting: `${tag}:waiting`,
    worker: workerId => `${tag}:worker:${workerId}`,
    workers: `${tag}:workers`,
    wake: apiId => `${tag}:wake:${apiId}`,
    idempotency: (owner, key) => `${tag}:idempotency:${hashOf(JSON.stringify([owner, key]))}`,
    model: `${tag}:model`,
    workChannel: `${tag}:work`,
    endChannel: `${tag}:end`
  }
}

/** The shard of a request or of an idempotency key: FNV-1a of the text, modulo the number of shards. */
export function shardOf(text: string, shards: number): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return (hash >>> 0) % shards
}

/** Names of callers and their idempotency keys are not readable in Redis. */
function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
