import { createHash } from 'node:crypto'

/**
 * Names of everything that the queue keeps in Redis; no other file spells one. Who deletes a key, or when it expires,
 * stands beside it.
 */
export interface RedisKeys {
  /** Of each key that BullMQ makes. */
  readonly bullPrefix: string
  /** BullMQ's queue of this shard. It deletes a job's keys when the job is completed. */
  readonly queueName: string
  /** Hash: the request and its state. TTL, renewed while it waits, runs or is read; after the end the retention. */
  request(requestId: string): string
  /** Stream: the token log, ids `<ordinal>-0`, field `e` the event's JSON. TTL as the request's. */
  log(requestId: string): string
  /** Hash, request id → prompt tokens, of all that wait. Fields go when a request is claimed or ends. */
  readonly waiting: string
  /** Set of the requests that a worker runs. TTL, renewed by the worker; deleted when it leaves. */
  worker(workerId: string): string
  /** Hash, worker id → JSON of what it is (model hash, slots). Fields go when a worker leaves or has been silent. */
  readonly workers: string
  /** Stream of one entry: wakes the blocking read of an API process. TTL, renewed by it. */
  wake(apiId: string): string
  /**
   * String, `<digest> <request id> <ms>`: what an idempotency key stands for, and since when. TTL as that of a request;
   * renewed when it is asked for.
   */
  idempotency(owner: string, key: string): string
  /** String: the hash of the model that this prefix serves. Set by whoever comes first; TTL, renewed by all. */
  readonly model: string
  /** Pub/Sub channel: there may be work to claim. */
  readonly workChannel: string
  /** Pub/Sub channel: the id of a request that ended from outside its worker. */
  readonly endChannel: string
}

/** Of each shard, in order. */
export function shardKeys({ prefix, shards }: { readonly prefix: string; readonly shards: number }): readonly RedisKeys[] {
  return Array.from({ length: shards }, (_, shard) => redisKeys(prefix, shard))
}

/**
 * Keys of one shard. All of them share the hash tag `{s<k>}`, so that a script may touch several and a cluster keeps
 * them together.
 */
export function redisKeys(prefix: string, shard: number): RedisKeys {
  const tag = `${prefix}:{s${shard}}`
  return {
    bullPrefix: tag,
    queueName: 'generation',
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

/** Which shard a request, or an idempotency key, belongs to: FNV-1a of the text, modulo the number of shards. */
export function shardOf(text: string, shards: number): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return (hash >>> 0) % shards
}

/** Whoever reads Redis sees neither callers' names nor their keys. */
function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
