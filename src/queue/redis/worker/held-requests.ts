import type { Job } from 'bullmq'
import { isTerminal, type LoggedEvent } from '../../../inference/contract/events.ts'
import type { BullWorker } from './bull-worker.ts'

export interface NewlyHeld {
  readonly id: string
  readonly bullWorker: BullWorker
  readonly job: Job
  readonly epoch: number
  /** Rows of the batch that it may fill. */
  readonly rows: number
  readonly isSuspect: boolean
  /** Its log when it was claimed, as written. */
  readonly log: readonly string[]
}

/**
 * A request that this worker runs: all of its log, and how much of that is known to be in Redis. Kept whole, so that
 * whatever Redis loses is written again.
 */
export class HeldRequest {
  readonly id: string
  readonly bullWorker: BullWorker
  readonly job: Job
  readonly rows: number
  readonly isSuspect: boolean
  /** Under which it may write. */
  epoch: number
  /** Index + 1 is the ordinal. */
  readonly entries: string[]
  /** Ordinal of the last entry sent. */
  sent: number
  /** Ordinal of the last entry known to be written. */
  written: number
  /** Something of it was computed here. */
  hasAdvanced = false
  /** Set once the engine has said its last word. */
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

  /** All has been said and written. */
  get isDone(): boolean {
    return this.end !== null && this.written >= this.entries.length
  }

  /**
   * It was claimed again by its own worker.
   *
   * @returns whether it can go on: the log must hold nothing but what was said here
   */
  reclaim(epoch: number, log: readonly string[]): boolean {
    if (log.some((entry, index) => entry !== this.entries[index])) return false
    this.epoch = epoch
    this.sent = log.length
    this.written = log.length
    return true
  }

  /** Write again what comes after this ordinal. */
  rewind(ordinal: number): void {
    this.sent = Math.min(this.sent, ordinal)
  }
}

/** The book of one worker: what it runs, and how many of its rows are free. */
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

  /** @returns whether it was there */
  remove(request: HeldRequest): boolean {
    return this.#held.get(request.id) === request && this.#held.delete(request.id)
  }

  get all(): readonly HeldRequest[] {
    return [...this.#held.values()]
  }

  /** Those whose engine still has something to say. */
  get running(): readonly HeldRequest[] {
    return this.all.filter(({ end }) => end === null)
  }

  get freeRows(): number {
    return this.running.reduce((free, { rows }) => free - rows, this.#slots)
  }

  /** A request with more choices than there are rows needs all of them, and runs in waves. */
  rowsOf(weight: number): number {
    return Math.min(weight, this.#slots)
  }

  /** A suspect, which kills workers perhaps, runs with nothing beside it. */
  hasRoom(weight: number, isSuspect: boolean): boolean {
    const { running } = this
    if (running.length === 0) return true
    return !isSuspect && !running.some(held => held.isSuspect) && this.rowsOf(weight) <= this.freeRows
  }
}
