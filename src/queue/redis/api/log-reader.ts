import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import { ServiceError } from '../../../inference/contract/errors.ts'
import { eventLoopTurn } from '../../../inference/contract/event-loop.ts'
import { isTerminal, type LogEntry } from '../../../inference/contract/events.ts'
import { requestNotFound } from '../../failures.ts'
import { Notifier } from '../../log/notifier.ts'
import type { QueueEvent } from '../../queue.ts'
import type { ScriptedRedis } from '../connection/commands.ts'
import { charsOf, FIRST_ENTRIES, hasEnded, RawEntries, type RequestStore, toEntry } from '../requests/request-store.ts'
import { Tail } from './tail.ts'
import { verifyLogs } from './verify-logs.ts'

/** Bounds of the entries per log that one read requests; adapted to the length of earlier replies. */
const ENTRIES = { least: 8, most: 512 } as const
/** Characters of JSON in one reply: below `few` the next read requests more entries, above `many` fewer. */
const ANSWER_CHARS = { few: 131_072, many: 524_288 } as const
const BLOCK_MS = 1000
/** Duration of a blocking read while a log is shorter than what was read of it. */
const SHORT_BLOCK_MS = 100
const WAKE_TTL_MS = 60_000
const AWAY_RETRY_MS = 50
const FIRST_LOOK_MS = 3000
/** Interval of checks without a broken connection: a log may be lost in a failover that no connection notices. */
const CHECK_MS = 10_000

const Streams = z.array(z.tuple([z.string(), z.array(z.tuple([z.string(), z.array(z.string())]))]))

export interface LogReaderOptions {
  readonly store: RequestStore
  /** For the blocking read only; `close` disconnects it. */
  readonly blocking: ScriptedRedis
  /** Unique to this process. */
  readonly apiId: string
  /** Called once for each new entry of the logs that are read here. */
  readonly onEntries: (entries: readonly LogEntry[]) => void
  readonly onError: (error: unknown) => void
}

/**
 * Reads the logs of one shard: a single blocking read follows all of them, and readers that fall behind read pages.
 */
export class LogReader {
  readonly #options: LogReaderOptions
  readonly #tails = new Map<string, Tail>()
  readonly #news = new Notifier()
  readonly #closing = new AbortController()
  #wakeId = '0-0'
  #entriesAtOnce: number = ENTRIES.most
  #isBlocked = false
  #checkedAtMs = performance.now()
  readonly #followed: Promise<void>

  constructor(options: LogReaderOptions) {
    this.#options = options
    this.#followed = this.#follow()
  }

  /** One for each request that has readers here. */
  get tails(): readonly Tail[] {
    return [...this.#tails.values()]
  }

  /**
   * Entries after an ordinal, and positions while there are none; ends with the log, or when `signal` aborts.
   *
   * @throws {ServiceError} `not_found`, `stream_lost`; and errors of Redis when it stays away at the first read. Later
   *   the reader waits until Redis is back
   */
  async *read(requestId: string, afterOrdinal: number, signal: AbortSignal): AsyncGenerator<readonly QueueEvent[], void, undefined> {
    const look = await this.#firstLook(requestId, afterOrdinal, signal)
    if (look === null) throw requestNotFound(requestId)
    const { status, entries } = look
    if (entries.length === 0 && afterOrdinal < status.last) throw streamLost()
    if (entries.length === 0 && hasEnded(status)) return
    const tail = this.#tails.get(requestId) ?? new Tail(requestId, entries, entries.at(-1)?.ordinal ?? status.last)
    const notifier = this.#join(tail)
    signal.addEventListener('abort', notifier.notify)
    try {
      let seen = afterOrdinal
      let emittedPosition: number | null = null
      let batch = entries.length > 0 ? entries : tail.after(seen)
      while (!signal.aborted) {
        batch ??= await this.#page(requestId, seen, signal)
        const last = batch.at(-1)
        if (last !== undefined) {
          seen = last.ordinal
          yield batch
          if (isTerminal(last.event)) return
        } else if (tail.hasEnded) {
          return
        } else if (tail.queued !== null && tail.queued.position !== emittedPosition) {
          emittedPosition = tail.queued.position
          yield [{ ordinal: null, event: tail.queued }]
        } else {
          await notifier.notified()
        }
        batch = tail.after(seen)
      }
    } finally {
      signal.removeEventListener('abort', notifier.notify)
      tail.leave(notifier)
      if (!tail.isRead && this.#tails.get(requestId) === tail) this.#tails.delete(requestId)
    }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#news.notify()
    this.#options.blocking.disconnect()
    await this.#followed
    const { store, apiId } = this.#options
    await store.redis.unlink(store.keys.wake(apiId)).catch(() => {})
  }

  #join(tail: Tail): Notifier {
    const notifier = tail.join()
    if (this.#tails.get(tail.requestId) !== tail) {
      this.#tails.set(tail.requestId, tail)
      this.#news.notify()
      if (this.#isBlocked) this.#wake()
    }
    return notifier
  }

  /**
   * Ends the blocking read, so that the next one includes a new log. If this is lost, the read ends after `BLOCK_MS`.
   */
  #wake(): void {
    this.#isBlocked = false
    const { store, apiId } = this.#options
    const pipeline = store.redis.pipeline()
    pipeline.xadd(store.keys.wake(apiId), 'MAXLEN', 1, '*', 'w', '')
    pipeline.pexpire(store.keys.wake(apiId), WAKE_TTL_MS)
    pipeline.exec().catch(() => {})
  }

  /** Retries for a short while, since a broken connection is reopened at once. */
  async #firstLook(requestId: string, afterOrdinal: number, signal: AbortSignal): ReturnType<RequestStore['look']> {
    const untilMs = performance.now() + FIRST_LOOK_MS
    for (;;) {
      try {
        return await this.#options.store.look(requestId, afterOrdinal, FIRST_ENTRIES)
      } catch (error) {
        if (signal.aborted || performance.now() > untilMs) throw error
        await pause(AWAY_RETRY_MS)
      }
    }
  }

  /** Entries after an ordinal, read from Redis, for which it waits. */
  async #page(requestId: string, afterOrdinal: number, signal: AbortSignal): Promise<readonly LogEntry[]> {
    while (!signal.aborted) {
      try {
        const entries = await this.#options.store.page(requestId, afterOrdinal)
        if (entries.length === 0) throw streamLost()
        return entries
      } catch (error) {
        if (error instanceof ServiceError) throw error
        await pause(AWAY_RETRY_MS)
      }
    }
    return []
  }

  async #follow(): Promise<void> {
    let isCut = false
    while (!this.#closing.signal.aborted) {
      if (this.tails.every(({ hasEnded }) => hasEnded)) {
        await this.#news.notified()
        continue
      }
      try {
        if (isCut || this.#isCheckDue) await this.#check()
        isCut = false
        await this.#readOn()
      } catch (error) {
        isCut = true
        if (this.#options.blocking.status === 'ready' && !this.#closing.signal.aborted) this.#options.onError(error)
        await pause(AWAY_RETRY_MS)
      }
    }
  }

  get #isCheckDue(): boolean {
    const sinceMs = performance.now() - this.#checkedAtMs
    return sinceMs > CHECK_MS || this.#isShort
  }

  get #isShort(): boolean {
    return this.tails.some(({ shortSinceMs }) => shortSinceMs !== null)
  }

  async #check(): Promise<void> {
    this.#checkedAtMs = performance.now()
    await verifyLogs(this.#options.store, this.tails, this.#checkedAtMs)
  }

  async #readOn(): Promise<void> {
    const { store, blocking, apiId, onEntries } = this.#options
    const whole = this.tails.filter(({ hasEnded, shortSinceMs }) => !hasEnded && shortSinceMs === null)
    const followed = new Map(whole.map(tail => [store.keys.log(tail.requestId), tail]))
    const blockMs = this.#isShort ? SHORT_BLOCK_MS : BLOCK_MS
    const names = [store.keys.wake(apiId), ...followed.keys()]
    const ids = [this.#wakeId, ...[...followed.values()].map(({ last }) => `${last}-0`)]
    this.#isBlocked = true
    const raw: unknown = await blocking.xread('COUNT', this.#entriesAtOnce, 'BLOCK', blockMs, 'STREAMS', ...names, ...ids).finally(() => {
      this.#isBlocked = false
    })
    let chars = 0
    for (const [name, found] of Streams.parse(raw ?? [])) {
      const tail = followed.get(name)
      if (tail === undefined) {
        this.#wakeId = found.at(-1)?.[0] ?? this.#wakeId
        continue
      }
      const entries = RawEntries.parse(found)
      chars = entries.reduce((sum, entry) => sum + charsOf(entry), chars)
      const turn = eventLoopTurn()
      if (turn !== null) await turn
      onEntries(tail.push(entries.map(toEntry)))
    }
    if (chars > ANSWER_CHARS.many) this.#entriesAtOnce = Math.max(ENTRIES.least, this.#entriesAtOnce / 4)
    if (chars < ANSWER_CHARS.few) this.#entriesAtOnce = Math.min(ENTRIES.most, this.#entriesAtOnce * 2)
  }
}

function streamLost(): ServiceError {
  return new ServiceError('stream_lost', 'the stream is lost: entries of its log are missing')
}
