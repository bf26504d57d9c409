import { promptTokensOf } from '../../inference/contract/request.ts'
import type { Job } from './job.ts'

/**
 * Waiting requests: first those whose worker died, then by priority, then in the order of arrival.
 * A request with more choices than there are free rows blocks those after it, so that it never starves.
 */
export class WaitQueue {
  readonly #jobs: Job[] = []
  #promptTokens = 0

  get length(): number {
    return this.#jobs.length
  }

  /** Over all waiting requests, as a measure of memory. */
  get promptTokens(): number {
    return this.#promptTokens
  }

  get jobs(): readonly Job[] {
    return this.#jobs
  }

  /** The next request that may share a worker. */
  get head(): Job | undefined {
    return this.#jobs.find(job => !job.isSuspect)
  }

  /** The next request that must run alone. */
  get suspect(): Job | undefined {
    return this.#jobs.find(job => job.isSuspect)
  }

  push(job: Job): void {
    const index = this.#jobs.findLastIndex(other => order(other, job) <= 0)
    this.#jobs.splice(index + 1, 0, job)
    this.#promptTokens += promptTokensOf(job.request)
  }

  remove(job: Job): void {
    const index = this.#jobs.indexOf(job)
    if (index < 0) return
    this.#jobs.splice(index, 1)
    this.#promptTokens -= promptTokensOf(job.request)
  }

  /** 1 is next; null when the request does not wait. */
  position(job: Job): number | null {
    const index = this.#jobs.indexOf(job)
    return index < 0 ? null : index + 1
  }
}

function order(one: Job, other: Job): number {
  if (one.isReturned !== other.isReturned) return one.isReturned ? -1 : 1
  return one.request.delivery.priority - other.request.delivery.priority || one.arrival - other.arrival
}
