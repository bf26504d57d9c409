import { isTerminal, type LogEntry, type LoggedEvent, type QueuedEvent, type TerminalEvent } from '../../inference/contract/events.ts'
import { invariant } from '../../inference/contract/invariant.ts'
import type { QueueEvent } from '../queue.ts'
import { Notifier } from './notifier.ts'

/** Limit of a batch: a reader processes a batch in one turn of the event loop. */
const BATCH_ENTRIES = 1000

/** All events of one request, in order, and its position while it waits. */
export class TokenLog {
  readonly #entries: LogEntry[] = []
  readonly #notifiers = new Set<Notifier>()
  #queued: QueuedEvent | null = null
  #hasEnded = false
  #tokens = 0

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  get hasFailed(): boolean {
    return this.end?.kind === 'failed'
  }

  get entries(): readonly LogEntry[] {
    return this.#entries
  }

  /** Ordinal of the last entry; 0 for none. */
  get last(): number {
    return this.#entries.length
  }

  get end(): TerminalEvent | null {
    const event = this.#entries.at(-1)?.event
    return event !== undefined && isTerminal(event) ? event : null
  }

  /** The batch of entries that follow an ordinal. */
  after(ordinal: number): readonly LogEntry[] {
    return this.#entries.slice(ordinal, ordinal + BATCH_ENTRIES)
  }

  /** Number of tokens and alternatives, as a measure of memory. */
  get tokens(): number {
    return this.#tokens
  }

  /** @throws {InvariantError} the log has a terminal event */
  append(event: LoggedEvent): void {
    invariant(!this.#hasEnded, `a ${event.kind} event follows the terminal event of a log`)
    this.#entries.push({ ordinal: this.#entries.length + 1, event })
    this.#tokens += tokensIn(event)
    this.#hasEnded = isTerminal(event)
    this.#queued = null
    this.#notify()
  }

  /** Sends the position to readers when it changes, until the first entry. null: the request does not wait. */
  setPosition(queued: QueuedEvent | null): void {
    invariant(!this.#hasEnded, 'a request that has ended has no position')
    if (this.#entries.length > 0 || queued?.position === this.#queued?.position) return
    this.#queued = queued
    if (queued !== null) this.#notify()
  }

  /**
   * Entries with an ordinal above `afterOrdinal`, and positions while there are no entries. Ends after the terminal
   * event, or when `signal` aborts.
   */
  async *read(afterOrdinal: number, signal: AbortSignal): AsyncGenerator<readonly QueueEvent[], void, undefined> {
    const notifier = new Notifier()
    this.#notifiers.add(notifier)
    signal.addEventListener('abort', notifier.notify)
    try {
      let seen = afterOrdinal
      let emittedPosition: number | null = null
      while (!signal.aborted) {
        const entries = this.after(seen)
        if (entries.length > 0) {
          seen += entries.length
          yield entries
        } else if (this.#hasEnded) {
          return
        } else if (this.#queued !== null && this.#queued.position !== emittedPosition) {
          emittedPosition = this.#queued.position
          yield [{ ordinal: null, event: this.#queued }]
        } else {
          await notifier.notified()
        }
      }
    } finally {
      signal.removeEventListener('abort', notifier.notify)
      this.#notifiers.delete(notifier)
    }
  }

  #notify(): void {
    for (const notifier of this.#notifiers) notifier.notify()
  }
}

function tokensIn(event: LoggedEvent): number {
  switch (event.kind) {
    case 'token':
      return 1 + (event.score?.top.length ?? 0)
    case 'prompt':
      return event.tokenIds.length + (event.scores?.reduce((sum, score) => sum + score.top.length, 0) ?? 0)
    case 'started':
    case 'finished':
    case 'failed':
      return 1
    default:
      return event satisfies never
  }
}
