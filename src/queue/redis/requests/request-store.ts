import { z } from 'zod'
import type { DeliveryPolicy } from '../../../inference/contract/delivery-policy.ts'
import type { Failure } from '../../../inference/contract/errors.ts'
import { eventLoopTurn } from '../../../inference/contract/event-loop.ts'
import type { FailedEvent, LogEntry, LoggedEvent } from '../../../inference/contract/events.ts'
import { choiceCount, type GenerationRequest, promptTokensOf } from '../../../inference/contract/request.ts'
import type { ScriptedRedis } from '../connection/commands.ts'
import type { RedisKeys } from '../connection/keys.ts'
import { LIFE_MS } from '../connection/lifetimes.ts'

const AdmitReply = z.union([z.tuple([z.literal('ok')]), z.tuple([z.literal('full'), z.number(), z.number()])])
const Done = z.literal([0, 1]).transform(done => done === 1)
const State = z.enum(['waiting', 'running', 'finished', 'failed', 'cancelled'])
const RequestStatus = z.tuple([State, z.coerce.number(), z.coerce.number(), z.coerce.number(), z.coerce.number(), z.coerce.number()])
const STATUS_FIELDS = ['state', 'epoch', 'last', 'leaseUntil', 'deadline', 'weight'] as const

export type RequestState = z.infer<typeof State>

/** Of a page of a log: about so many characters of JSON, and no more entries. */
const PAGE_CHARS = 262_144
const PAGE_ENTRIES = 500
/** That are asked for before it is known how long they are: the first of a log are the longest. */
export const FIRST_ENTRIES = 8

/** Where a request stands, without its body. */
export interface RequestStatus {
  readonly state: RequestState
  readonly epoch: number
  /** Ordinal of the log's last entry; 0 for none. */
  readonly last: number
  /** Unix milliseconds; 0 for ever. */
  readonly leaseUntilMs: number
  /** Unix milliseconds; 0 for none. */
  readonly deadlineMs: number
  /** Its choices. */
  readonly weight: number
}

export interface AdmissionParameters {
  /** Unix milliseconds until which it goes on without a reader; 0 for ever. */
  readonly leaseUntilMs: number
  readonly waitingLimit: number
  readonly waitingTokenLimit: number
  /** Rows that no request has, of all workers. */
  readonly freeRows: number
  /** Requests that waited when these were counted. */
  readonly seenWaiting: number
  /** Of the free rows, those that this request would take. */
  readonly rows: number
  /** Its log lives so long after its end. */
  readonly retentionMs: number
}

export type Verdict = { readonly ok: true } | { readonly ok: false; readonly waiting: number; readonly tokens: number }

export function hasEnded({ state }: Pick<RequestStatus, 'state'>): boolean {
  return state !== 'waiting' && state !== 'running'
}

/**
 * The API's side of the requests of one shard. Replies are parsed here and nowhere else; whatever Redis cannot answer
 * now rejects.
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
      choiceCount(request),
      promptTokensOf(request),
      parameters.leaseUntilMs,
      delivery.deadlineAtMs ?? 0,
      LIFE_MS,
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

  /**
   * Ends a request from outside its worker.
   *
   * @returns false when it had ended or is not known
   */
  async end(requestId: string, failure: Failure): Promise<boolean> {
    const event: FailedEvent = { kind: 'failed', failure }
    const { request, log, waiting, endChannel } = this.keys
    const state: RequestState = failure.code === 'cancelled' ? 'cancelled' : 'failed'
    return Done.parse(
      await this.redis.streamEnd(request(requestId), log(requestId), waiting, requestId, state, JSON.stringify(event), endChannel)
    )
  }

  /** They are attended until then. */
  async renewLeases(requestIds: readonly string[], leaseUntilMs: number): Promise<void> {
    const pipeline = this.redis.pipeline()
    for (const id of requestIds) pipeline.streamRenewLease(this.keys.request(id), this.keys.log(id), leaseUntilMs, LIFE_MS)
    await answersOf(pipeline)
  }

  async deliveryPolicy(requestId: string): Promise<DeliveryPolicy | null> {
    const json = await this.redis.hget(this.keys.request(requestId), 'delivery')
    // Written by an API process of ours, which had parsed it at the HTTP border.
    return json === null ? null : (JSON.parse(json) as DeliveryPolicy)
  }

  /** Where requests stand; null for those that are not known (any more). */
  async statuses(requestIds: readonly string[]): Promise<readonly (RequestStatus | null)[]> {
    if (requestIds.length === 0) return []
    const pipeline = this.redis.pipeline()
    for (const id of requestIds) pipeline.hmget(this.keys.request(id), ...STATUS_FIELDS)
    return (await answersOf(pipeline)).map(statusOf)
  }

  /**
   * Where a request stands, and what comes after an ordinal in its log, at most `count`; null when it is not known (any
   * more).
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
   * What comes after an ordinal in a log, as many as are read in one piece. Entries may be long: a few are asked for,
   * and more if those were short.
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

  /** The newest of a log; null where there is none (any more). */
  async lastEntry(requestId: string): Promise<LogEntry | null> {
    const [last] = entriesOf(await this.redis.xrevrange(this.keys.log(requestId), '+', '-', 'COUNT', 1))
    return last ?? null
  }

  /** Takes an idempotency key, unless it is held by another than `replaces`: then it says by whom. */
  async claimIdempotency(owner: string, key: string, value: string, replaces: string): Promise<string | null> {
    const held = await this.redis.streamClaimIdempotency(this.keys.idempotency(owner, key), value, LIFE_MS, replaces)
    return z.string().parse(held) || null
  }

  async releaseIdempotency(owner: string, key: string, value: string): Promise<void> {
    await this.redis.streamReleaseIdempotency(this.keys.idempotency(owner, key), value)
  }
}

const RawEntry = z.tuple([z.string(), z.tuple([z.literal('e'), z.string()])])
export type RawEntry = z.infer<typeof RawEntry>
export const RawEntries = z.array(RawEntry)

/** Of a log, as XRANGE and XREAD give them. */
function entriesOf(raw: unknown): LogEntry[] {
  return RawEntries.parse(raw).map(toEntry)
}

export function charsOf([, [, json]]: RawEntry): number {
  return json.length
}

export function toEntry([id, [, json]]: RawEntry): LogEntry {
  // Written by a worker or an API process of ours.
  return { ordinal: Number.parseInt(id, 10), event: JSON.parse(json) as LoggedEvent }
}

/** @throws the first error among the answers */
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
