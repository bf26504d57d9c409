import { isTerminal, type LogEntry, type LoggedEvent, type QueuedEvent, type TerminalEvent } from '../../inference/contract/events.ts'
import { invariant } from '../../inference/contract/invariant.ts'
import type { QueueEvent } from '../queue.ts'
import { Notifier } from './notifier.ts'

/** Of one batch: whoever reads it does so in one turn of the event loop. */
const BATCH_ENTRIES = 1000

/** All that happened to one request, in order; and, while it waits, where it stands. */
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

  /** Ordinal of the last entry. */
  get last(): number {
    return this.#entries.length
  }

  get end(): TerminalEvent | null {
    const event = this.#entries.at(-1)?.event
    return event !== undefined && isTerminal(event) ? event : null
  }

  /** What follows an ordinal, as many as are read in one piece. */
  after(ordinal: number): readonly LogEntry[] {
    return this.#entries.slice(ordinal, ordinal + BATCH_ENTRIES)
  }

  /** What it weighs in memory: tokens and alternatives, with their texts. */
  get tokens(): number {
    return this.#tokens
  }

  /** @throws {InvariantError} when something follows the terminal event */
  append(event: LoggedEvent): void {
    invariant(!this.#hasEnded, `a ${event.kind} event follows the end of a log`)
    this.#entries.push({ ordinal: this.#entries.length + 1, event })
    this.#tokens += tokensIn(event)
    this.#hasEnded = isTerminal(event)
    this.#queued = null
    this.#notify()
  }

  /** Readers are told where it waits whenever its position changes, until the first entry; null: it waits no more. */
  standAt(queued: QueuedEvent | null): void {
    invariant(!this.#hasEnded, 'a request that ended does not wait')
    if (this.#entries.length > 0 || queued?.position === this.#queued?.position) return
    this.#queued = queued
    if (queued !== null) this.#notify()
  }

  /**
   * Entries with an ordinal above `afterOrdinal`, and positions while there are none; ends with the log, or when
   * `signal` aborts.
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
