import type { LoggedEvent } from '../../contract/events.ts'
import { readHistory } from '../../contract/history.ts'
import { invariant } from '../../contract/invariant.ts'
import type { GenerationRequest } from '../../contract/request.ts'
import { Job } from './job.ts'
import type { Sequence } from './sequence.ts'

/** The open requests, and the request of each sequence that is bound to a row. */
export class JobRegistry {
  readonly #contextLength: number
  readonly #jobs = new Map<string, Job>()
  readonly #jobOf = new WeakMap<Sequence, Job>()

  constructor(contextLength: number) {
    this.#contextLength = contextLength
  }

  open(request: GenerationRequest, history: readonly LoggedEvent[]): Job {
    invariant(!this.#jobs.has(request.id), `request ${request.id} was submitted twice`)
    for (const { tokenIds } of request.prompts) {
      invariant(tokenIds.length + request.maxNewTokens <= this.#contextLength, 'a request exceeds the context')
    }
    const job = new Job(request, readHistory(request, history))
    this.#jobs.set(request.id, job)
    return job
  }

  find(requestId: string): Job | undefined {
    return this.#jobs.get(requestId)
  }

  /** Must be called when a sequence of the request gets a row. */
  bind(sequence: Sequence, job: Job): void {
    this.#jobOf.set(sequence, job)
  }

  of(sequence: Sequence): Job {
    const job = this.#jobOf.get(sequence)
    invariant(job !== undefined, 'a sequence in a row belongs to no request')
    return job
  }

  close(job: Job): void {
    job.isOver = true
    this.#jobs.delete(job.request.id)
  }
}
