import type { GenerationRequest } from '../../inference/contract/request.ts'
import type { Job } from './job.ts'

/**
 * Who waits: first those that a dead worker ran, then by priority, then in the order of arrival.
 * A request that is too wide for the free rows holds up those behind it, so that it is never starved.
 */
export class WaitQueue {
  readonly #jobs: Job[] = []
  #promptTokens = 0

  get length(): number {
    return this.#jobs.length
  }

  /** Over all prompts that wait: what the line costs in memory. */
  get promptTokens(): number {
    return this.#promptTokens
  }

  get jobs(): readonly Job[] {
    return this.#jobs
  }

  /** The next that may share a worker. */
  get head(): Job | undefined {
    return this.#jobs.find(job => !job.isSuspect)
  }

  /** The next that must run alone. */
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

  /** 1 is next; null when it is not in the line. */
  position(job: Job): number | null {
    const index = this.#jobs.indexOf(job)
    return index < 0 ? null : index + 1
  }
}

function order(one: Job, other: Job): number {
  if (one.isReturned !== other.isReturned) return one.isReturned ? -1 : 1
  return one.request.delivery.priority - other.request.delivery.priority || one.arrival - other.arrival
}

export function promptTokensOf(request: GenerationRequest): number {
  return request.prompts.reduce((sum, prompt) => sum + prompt.tokenIds.length, 0)
}
