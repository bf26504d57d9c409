import type { StepEvents } from '../contract/engine.ts'
import type { LoggedEvent } from '../contract/events.ts'
import type { Job } from './job.ts'

/** What a step has to tell, until all of it is known: one delivery per step. */
export class Outbox {
  readonly #send: (events: StepEvents) => void
  #events: { requestId: string; event: LoggedEvent }[] = []

  constructor(send: (events: StepEvents) => void) {
    this.#send = send
  }

  say(job: Job, event: LoggedEvent): void {
    this.#events.push({ requestId: job.request.id, event })
  }

  deliver(): void {
    if (this.#events.length === 0) return
    const events = this.#events
    this.#events = []
    this.#send(events)
  }
}
