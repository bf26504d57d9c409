import { ServiceError } from '../../../inference/contract/errors.ts'
import { isTerminal, type LogEntry, type QueuedEvent } from '../../../inference/contract/events.ts'
import { Notifier } from '../../log/notifier.ts'

/** Entries that are kept for readers; a reader that is further behind reads pages. */
const WINDOW = 1000

/** The newest part of one request's log, shared by all its readers in this process. */
export class Tail {
  readonly requestId: string
  /** Ordinals up to `last`, without gaps. */
  #entries: LogEntry[] = []
  #last: number
  #queued: QueuedEvent | null = null
  #failure: ServiceError | null = null
  readonly #notifiers = new Set<Notifier>()
  /**
   * Since when (`performance.now`) the log in Redis is shorter than what was read of it. Reading stops until it is
   * complete again.
   */
  shortSinceMs: number | null = null

  /**
   * @param entries  that are read already
   * @param last     ordinal of the last of them; without entries, of the last one that no reader here needs
   */
  constructor(requestId: string, entries: readonly LogEntry[], last: number) {
    this.requestId = requestId
    this.#entries = [...entries]
    this.#last = last
  }

  /** Ordinal of the last entry read. */
  get last(): number {
    return this.#last
  }

  get isRead(): boolean {
    return this.#notifiers.size > 0
  }

  get hasEnded(): boolean {
    const last = this.#entries.at(-1)
    return last !== undefined && isTerminal(last.event)
  }

  get queued(): QueuedEvent | null {
    return this.#queued
  }

  /** The newest kept entries, at most `count`. */
  newest(count: number): readonly LogEntry[] {
    return this.#entries.slice(-count)
  }

  /** Kept entries after an ordinal; null when some of them are not kept any more. */
  after(ordinal: number): readonly LogEntry[] | null {
    if (this.#failure !== null) throw this.#failure
    const start = this.#last - this.#entries.length
    return ordinal < start ? null : this.#entries.slice(ordinal - start)
  }

  /**
   * @param entries  as read from Redis
   * @returns        the new ones of them
   */
  push(entries: readonly LogEntry[]): readonly LogEntry[] {
    const fresh = entries.filter(({ ordinal }) => ordinal > this.#last)
    if (fresh.length === 0) return []
    if (fresh[0]?.ordinal !== this.#last + 1) {
      this.fail('entries of its log are missing')
      return []
    }
    this.#entries.push(...fresh)
    this.#last += fresh.length
    if (this.#entries.length > 2 * WINDOW) this.#entries = this.#entries.slice(-WINDOW)
    this.#queued = null
    this.#notify()
    return fresh
  }

  /** @param queued  its position; null when it does not wait any more */
  setQueued(queued: QueuedEvent | null): void {
    if (queued?.position === this.#queued?.position) return
    this.#queued = this.#last > 0 ? null : queued
    this.#notify()
  }

  /** Ends all readers with `stream_lost`. */
  fail(why: string): void {
    this.#failure ??= new ServiceError('stream_lost', `the stream is lost: ${why}`)
    this.#notify()
  }

  join(): Notifier {
    const notifier = new Notifier()
    this.#notifiers.add(notifier)
    return notifier
  }

  leave(notifier: Notifier): void {
    this.#notifiers.delete(notifier)
  }

  #notify(): void {
    for (const notifier of this.#notifiers) notifier.notify()
  }
}
