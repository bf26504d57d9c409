import type { DeliveryPolicy } from '../../inference/contract/delivery-policy.ts'
import type { Failure } from '../../inference/contract/errors.ts'
import { FAILURES } from '../failures.ts'

/** The longest delay of a timer (24 days). */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Ends a request at its deadline and, unless its policy is `run`, when it has had no reader for a while. */
export class Lease {
  readonly #delivery: DeliveryPolicy
  readonly #graceMs: number
  readonly #end: (failure: Failure) => void
  #readers = 0
  #isOver = false
  #graceTimer: NodeJS.Timeout | undefined
  #deadlineTimer: NodeJS.Timeout | undefined

  /** @param end  called once, when the lease expires; never within a call of this class */
  constructor(delivery: DeliveryPolicy, graceMs: number, end: (failure: Failure) => void) {
    this.#delivery = delivery
    this.#graceMs = graceMs
    this.#end = end
    this.#awaitReader()
    this.#awaitDeadline()
  }

  addReader(): void {
    this.#readers++
    clearTimeout(this.#graceTimer)
  }

  removeReader(): void {
    this.#readers--
    this.#awaitReader()
  }

  /** The request has ended. */
  close(): void {
    this.#isOver = true
    clearTimeout(this.#graceTimer)
    clearTimeout(this.#deadlineTimer)
  }

  #awaitReader(): void {
    if (this.#isOver || this.#readers > 0 || this.#delivery.onDisconnect === 'run') return
    this.#graceTimer = setTimeout(() => this.#end(FAILURES.unread), this.#graceMs).unref()
  }

  #awaitDeadline(): void {
    const { deadlineAtMs } = this.#delivery
    if (deadlineAtMs === null) return
    const leftMs = deadlineAtMs - Date.now()
    this.#deadlineTimer = setTimeout(
      () => {
        if (leftMs > LONGEST_TIMER_MS) this.#awaitDeadline()
        else this.#end(FAILURES.overdue)
      },
      Math.max(0, Math.min(leftMs, LONGEST_TIMER_MS))
    ).unref()
  }
}
