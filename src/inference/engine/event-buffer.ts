import type { StepEvents } from '../contract/engine.ts'
import type { LoggedEvent } from '../contract/events.ts'
import type { Job } from './request/job.ts'

/** Collects the events of a step, for one delivery per step. */
export class EventBuffer {
  readonly #deliver: (events: StepEvents) => void
  #events: { requestId: string; event: LoggedEvent }[] = []

  constructor(deliver: (events: StepEvents) => void) {
    this.#deliver = deliver
  }

  push(job: Job, ...events: readonly LoggedEvent[]): void {
    for (const event of events) this.#events.push({ requestId: job.request.id, event })
  }

  flush(): void {
    if (this.#events.length === 0) return
    const events = this.#events
    this.#events = []
    this.#deliver(events)
  }
}
