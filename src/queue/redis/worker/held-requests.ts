import type { Job } from 'bullmq'
import { isTerminal, type LoggedEvent } from '../../../inference/contract/events.ts'
import type { BullWorker } from './bull-worker.ts'

export interface NewlyHeld {
  readonly id: string
  readonly bullWorker: BullWorker
  readonly job: Job
  readonly epoch: number
  /** Rows of the batch that it may use. */
  readonly rows: number
  readonly isSuspect: boolean
  /** JSON of each event in its log when it was claimed. */
  readonly log: readonly string[]
}

/**
 * A request that this worker runs: its whole log, and how much of it is known to be in Redis. Entries that Redis loses
 * are written again from here.
 */
export class HeldRequest {
  readonly id: string
  readonly bullWorker: BullWorker
  readonly job: Job
  readonly rows: number
  readonly isSuspect: boolean
  /** Epoch of the claim; appends carry it. */
  epoch: number
  /** JSON of each event; index + 1 is the ordinal. */
  readonly entries: string[]
  /** Ordinal of the last entry sent. */
  sent: number
  /** Ordinal of the last entry known to be written. */
  written: number
  /** Something of it was computed by this worker. */
  hasAdvanced = false
  /** Set by the terminal event. */
  end: 'finished' | 'failed' | null = null

  constructor({ id, bullWorker, job, epoch, rows, isSuspect, log }: NewlyHeld) {
    this.id = id
    this.bullWorker = bullWorker
    this.job = job
    this.epoch = epoch
    this.rows = rows
    this.isSuspect = isSuspect
    this.entries = [...log]
    this.sent = log.length
    this.written = log.length
  }

  add(event: LoggedEvent): void {
    this.entries.push(JSON.stringify(event))
    if (isTerminal(event)) this.end = event.kind
  }

  /** It has ended, and its whole log is written. */
  get isDone(): boolean {
    return this.end !== null && this.written >= this.entries.length
  }

  /**
   * Takes over the epoch of a second claim by the same worker.
   *
   * @returns whether the run may continue: the log must be a prefix of the entries here
   */
  reclaim(epoch: number, log: readonly string[]): boolean {
    if (log.some((entry, index) => entry !== this.entries[index])) return false
    this.epoch = epoch
    this.sent = log.length
    this.written = log.length
    return true
  }

  /** Entries after this ordinal must be sent again. */
  rewind(ordinal: number): void {
    this.sent = Math.min(this.sent, ordinal)
  }
}

/** The requests that one worker runs, and how many of its rows are free. */
export class HeldRequests {
  readonly #slots: number
  readonly #held = new Map<string, HeldRequest>()

  constructor(slots: number) {
    this.#slots = slots
  }

  get(requestId: string): HeldRequest | undefined {
    return this.#held.get(requestId)
  }

  add(request: HeldRequest): void {
    this.#held.set(request.id, request)
  }

  /** @returns whether it was held */
  remove(request: HeldRequest): boolean {
    return this.#held.get(request.id) === request && this.#held.delete(request.id)
  }

  get all(): readonly HeldRequest[] {
    return [...this.#held.values()]
  }

  /** Requests that the engine has not ended. */
  get running(): readonly HeldRequest[] {
    return this.all.filter(({ end }) => end === null)
  }

  get freeRows(): number {
    return this.running.reduce((free, { rows }) => free - rows, this.#slots)
  }

  /** A request with more choices than there are rows uses all of them, and runs in waves. */
  rowsOf(weight: number): number {
    return Math.min(weight, this.#slots)
  }

  /** A suspect of the poison rule runs with no other request beside it. */
  hasRoom(weight: number, isSuspect: boolean): boolean {
    const { running } = this
    if (running.length === 0) return true
    return !isSuspect && !running.some(held => held.isSuspect) && this.rowsOf(weight) <= this.freeRows
  }
}
