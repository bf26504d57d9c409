import { ServiceError } from '../../../inference/contract/errors.ts'
import { isTerminal, type LogEntry, type QueuedEvent } from '../../../inference/contract/events.ts'
import { Notifier } from '../../log/notifier.ts'

/** Entries that are kept for those who read along; who is further behind reads pages. */
const WINDOW = 1000

/** The newest part of one request's log, shared by all that read along here. */
export class Tail {
  readonly requestId: string
  /** Ordinals without gaps up to `last`. */
  #entries: LogEntry[] = []
  #last: number
  #queued: QueuedEvent | null = null
  #failure: ServiceError | null = null
  readonly #notifiers = new Set<Notifier>()
  /**
   * Since when (`performance.now`) its log is shorter than what was read of it: until it is whole again, nothing more
   * is read.
   */
  shortSinceMs: number | null = null

  /**
   * @param entries  read already
   * @param last     ordinal of the last of them, or of the last that nobody here needs
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

  /** The last entries read, at most `count`, of what is kept. */
  newest(count: number): readonly LogEntry[] {
    return this.#entries.slice(-count)
  }

  /** What follows an ordinal, of what is kept; null when some of it is not kept any more. */
  after(ordinal: number): readonly LogEntry[] | null {
    if (this.#failure !== null) throw this.#failure
    const start = this.#last - this.#entries.length
    return ordinal < start ? null : this.#entries.slice(ordinal - start)
  }

  /**
   * What Redis gave of the log.
   *
   * @returns what of it is new
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

  /** Where it waits; null: it waits no more. */
  standAt(queued: QueuedEvent | null): void {
    if (queued?.position === this.#queued?.position) return
    this.#queued = this.#last > 0 ? null : queued
    this.#notify()
  }

  /** Its readers have what they have; the rest is lost. */
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
