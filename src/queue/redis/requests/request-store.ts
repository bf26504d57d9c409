import { z } from 'zod'
import type { DeliveryPolicy } from '../../../inference/contract/delivery-policy.ts'
import type { Failure } from '../../../inference/contract/errors.ts'
import { eventLoopTurn } from '../../../inference/contract/event-loop.ts'
import type { LogEntry, LoggedEvent } from '../../../inference/contract/events.ts'
import { type GenerationRequest, promptTokensOf, reservedRows } from '../../../inference/contract/request.ts'
import type { ScriptedRedis } from '../connection/commands.ts'
import { REQUEST_TTL_MS, type RedisKeys } from '../connection/keys.ts'
import { endRequest } from './claim.ts'

const AdmitReply = z.union([z.tuple([z.literal('ok')]), z.tuple([z.literal('full'), z.number(), z.number()])])
const State = z.enum(['waiting', 'running', 'finished', 'failed', 'cancelled'])
const RequestStatus = z.tuple([State, z.coerce.number(), z.coerce.number(), z.coerce.number(), z.coerce.number(), z.coerce.number()])
const STATUS_FIELDS = ['state', 'epoch', 'last', 'leaseUntil', 'deadline', 'weight'] as const

export type RequestState = z.infer<typeof State>

/** A page of a log has about this many characters of JSON, and at most this many entries. */
const PAGE_CHARS = 262_144
const PAGE_ENTRIES = 500
/** Entries of a first read, made before their length is known: the first entries of a log are the longest. */
export const FIRST_ENTRIES = 8

/** State of a request, without its body. */
export interface RequestStatus {
  readonly state: RequestState
  readonly epoch: number
  /** Ordinal of the log's last entry; 0 for none. */
  readonly last: number
  /** Unix milliseconds; 0 for ever. */
  readonly leaseUntilMs: number
  /** Unix milliseconds; 0 for none. */
  readonly deadlineMs: number
  /** Number of its choices. */
  readonly weight: number
}

export interface AdmissionParameters {
  /** Unix milliseconds until which the request runs without a reader; 0 for ever. */
  readonly leaseUntilMs: number
  readonly waitingLimit: number
  readonly waitingTokenLimit: number
  /** Rows of all workers that no request uses. */
  readonly freeRows: number
  /** Requests that waited when the free rows were counted. */
  readonly seenWaiting: number
  /** Rows that this request would use. */
  readonly rows: number
  /** How long the log is kept after the end, in milliseconds. */
  readonly retentionMs: number
}

export type Verdict = { readonly ok: true } | { readonly ok: false; readonly waiting: number; readonly tokens: number }

export function hasEnded({ state }: Pick<RequestStatus, 'state'>): boolean {
  return state !== 'waiting' && state !== 'running'
}

/**
 * The requests of one shard, as an API process reads and changes them. Redis's replies are parsed here. While Redis is
 * away, every method rejects.
 */
export class RequestStore {
  readonly redis: ScriptedRedis
  readonly keys: RedisKeys

  constructor(redis: ScriptedRedis, keys: RedisKeys) {
    this.redis = redis
    this.keys = keys
  }

  async admit(request: GenerationRequest, parameters: AdmissionParameters): Promise<Verdict> {
    const { id, delivery } = request
    const raw = await this.redis.streamAdmit(
      this.keys.request(id),
      this.keys.waiting,
      id,
      JSON.stringify(request),
      JSON.stringify(delivery),
      reservedRows(request),
      promptTokensOf(request),
      parameters.leaseUntilMs,
      delivery.deadlineAtMs ?? 0,
      REQUEST_TTL_MS,
      parameters.waitingLimit,
      parameters.waitingTokenLimit,
      parameters.freeRows,
      parameters.rows,
      parameters.retentionMs,
      parameters.seenWaiting
    )
    const reply = AdmitReply.parse(raw)
    return reply[0] === 'ok' ? { ok: true } : { ok: false, waiting: reply[1], tokens: reply[2] }
  }

  /** @returns false when the request had ended before or does not exist */
  async end(requestId: string, failure: Failure): Promise<boolean> {
    return await endRequest(this.redis, this.keys, requestId, failure)
  }

  /** @param leaseUntilMs  Unix milliseconds */
  async renewLeases(requestIds: readonly string[], leaseUntilMs: number): Promise<void> {
    const pipeline = this.redis.pipeline()
    for (const id of requestIds) pipeline.streamRenewLease(this.keys.request(id), this.keys.log(id), leaseUntilMs, REQUEST_TTL_MS)
    await answersOf(pipeline)
  }

  async deliveryPolicy(requestId: string): Promise<DeliveryPolicy | null> {
    const json = await this.redis.hget(this.keys.request(requestId), 'delivery')
    // Written by an API process, which had parsed it at the HTTP border.
    return json === null ? null : (JSON.parse(json) as DeliveryPolicy)
  }

  /** @returns one for each id, null for a request that does not exist (any more) */
  async statuses(requestIds: readonly string[]): Promise<readonly (RequestStatus | null)[]> {
    if (requestIds.length === 0) return []
    const pipeline = this.redis.pipeline()
    for (const id of requestIds) pipeline.hmget(this.keys.request(id), ...STATUS_FIELDS)
    return (await answersOf(pipeline)).map(statusOf)
  }

  /**
   * The status of a request, and at most `count` entries of its log after an ordinal; null when the request does not
   * exist (any more).
   */
  async look(requestId: string, afterOrdinal: number, count: number): Promise<{ status: RequestStatus; entries: LogEntry[] } | null> {
    const pipeline = this.redis.pipeline()
    pipeline.hmget(this.keys.request(requestId), ...STATUS_FIELDS)
    pipeline.xrange(this.keys.log(requestId), `(${afterOrdinal}-0`, '+', 'COUNT', count)
    const [rawStatus, rawEntries] = await answersOf(pipeline)
    const status = statusOf(rawStatus)
    return status === null ? null : { status, entries: entriesOf(rawEntries) }
  }

  /**
   * One page of a log's entries after an ordinal. Entries may be long, so the first read is small, and the next ones
   * grow while entries are short.
   */
  async page(requestId: string, afterOrdinal: number): Promise<readonly LogEntry[]> {
    const entries: LogEntry[] = []
    let chars = 0
    for (let count = FIRST_ENTRIES; chars < PAGE_CHARS && entries.length < PAGE_ENTRIES; count *= 2) {
      const last = entries.at(-1)?.ordinal ?? afterOrdinal
      const raw = await this.redis.xrange(this.keys.log(requestId), `(${last}-0`, '+', 'COUNT', count)
      for (const entry of RawEntries.parse(raw)) {
        const turn = eventLoopTurn()
        if (turn !== null) await turn
        entries.push(toEntry(entry))
        chars += charsOf(entry)
      }
      if (raw.length < count) break
    }
    return entries
  }

  /** The newest entry of a log; null for an empty or absent log. */
  async lastEntry(requestId: string): Promise<LogEntry | null> {
    const [last] = entriesOf(await this.redis.xrevrange(this.keys.log(requestId), '+', '-', 'COUNT', 1))
    return last ?? null
  }

  /** @returns null when `value` holds the idempotency key now, else the value that holds it and is not `replaces` */
  async claimIdempotency(owner: string, key: string, value: string, replaces: string): Promise<string | null> {
    const held = await this.redis.streamClaimIdempotency(this.keys.idempotency(owner, key), value, REQUEST_TTL_MS, replaces)
    return z.string().parse(held) || null
  }

  async releaseIdempotency(owner: string, key: string, value: string): Promise<void> {
    await this.redis.streamReleaseIdempotency(this.keys.idempotency(owner, key), value)
  }
}

const RawEntry = z.tuple([z.string(), z.tuple([z.literal('e'), z.string()])])
export type RawEntry = z.infer<typeof RawEntry>
export const RawEntries = z.array(RawEntry)

/** Parses entries of a log as XRANGE and XREAD return them. */
function entriesOf(raw: unknown): LogEntry[] {
  return RawEntries.parse(raw).map(toEntry)
}

export function charsOf([, [, json]]: RawEntry): number {
  return json.length
}

export function toEntry([id, [, json]]: RawEntry): LogEntry {
  // Written by a worker or an API process.
  return { ordinal: Number.parseInt(id, 10), event: JSON.parse(json) as LoggedEvent }
}

/** @throws the first error among the replies */
export async function answersOf(pipeline: ReturnType<ScriptedRedis['pipeline']>): Promise<unknown[]> {
  const answers = (await pipeline.exec()) ?? []
  return answers.map(([error, answer]) => {
    if (error !== null) throw error
    return answer
  })
}

function statusOf(raw: unknown): RequestStatus | null {
  if (Array.isArray(raw) && raw[0] === null) return null
  const [state, epoch, last, leaseUntilMs, deadlineMs, weight] = RequestStatus.parse(raw)
  return { state, epoch, last, leaseUntilMs, deadlineMs, weight }
}
