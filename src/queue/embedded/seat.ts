import { choiceCount, type GenerationRequest } from '../../inference/contract/request.ts'
import type { WorkerLink } from './worker-pool.ts'

/** The queue's book of one worker: which requests it runs, and how many of its rows are free. */
export class Seat {
  readonly link: WorkerLink
  /** Rows taken, by request. */
  readonly #rows = new Map<string, number>()
  #freeRows: number
  #isRetired = false

  constructor(link: WorkerLink) {
    this.link = link
    this.#freeRows = link.slots
  }

  get freeRows(): number {
    return this.#freeRows
  }

  get running(): number {
    return this.#rows.size
  }

  get requestIds(): readonly string[] {
    return [...this.#rows.keys()]
  }

  runs(requestId: string): boolean {
    return this.#rows.has(requestId)
  }

  /** A request with more choices than the worker has rows needs all of them, and runs in waves. */
  canTake(request: GenerationRequest): boolean {
    return !this.#isRetired && this.#weight(request) <= this.#freeRows
  }

  start(request: GenerationRequest): void {
    const rows = this.#weight(request)
    this.#rows.set(request.id, rows)
    this.#freeRows -= rows
    this.link.start(request, [])
  }

  release(requestId: string): void {
    this.#freeRows += this.#rows.get(requestId) ?? 0
    this.#rows.delete(requestId)
  }

  /** Takes nothing from now on. */
  retire(): void {
    this.#isRetired = true
  }

  #weight(request: GenerationRequest): number {
    return Math.min(choiceCount(request), this.link.slots)
  }
}
