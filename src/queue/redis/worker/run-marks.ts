import type { ScriptedRedis } from '../connection/commands.ts'
import type { HeldRequest, HeldRequests } from './held-requests.ts'

const NOT_IN_RUN = -1

/**
 * Records in Redis which requests the engine's current run computes for, so that the poison rule counts a death against
 * the right request. Sent at once and apart from the log, so that a mark is sent before its run can kill the process.
 */
export class RunMarks {
  readonly #redis: ScriptedRedis
  readonly #held: HeldRequests
  #inRun: ReadonlySet<string> = new Set()

  constructor(redis: ScriptedRedis, held: HeldRequests) {
    this.#redis = redis
    this.#held = held
  }

  /** @param requestIds  of the run that begins now; none between runs */
  running(requestIds: readonly string[]): void {
    const now = new Set(requestIds)
    const before = this.#inRun
    this.#inRun = now
    const joined = this.#known(requestIds.filter(id => !before.has(id)))
    const left = this.#known([...before].filter(id => !now.has(id)))
    this.#mark('inRun', [
      ...joined.map(request => ({ request, value: request.epoch })),
      ...left.map(request => ({ request, value: NOT_IN_RUN }))
    ])
  }

  /** @param requestIds  something of each was computed in the last run */
  advanced(requestIds: readonly string[]): void {
    const requests = this.#known(requestIds)
    for (const request of requests) request.hasAdvanced = true
    this.#markEpoch('advanced', requests)
  }

  /** Marks the request again, under its new epoch. */
  renew(request: HeldRequest): void {
    if (this.#inRun.has(request.id)) this.#markEpoch('inRun', [request])
    if (request.hasAdvanced) this.#markEpoch('advanced', [request])
  }

  #markEpoch(field: 'inRun' | 'advanced', requests: readonly HeldRequest[]): void {
    this.#mark(
      field,
      requests.map(request => ({ request, value: request.epoch }))
    )
  }

  #known(requestIds: readonly string[]): HeldRequest[] {
    return requestIds.map(id => this.#held.get(id)).filter(request => request !== undefined)
  }

  #mark(field: 'inRun' | 'advanced', marks: readonly { readonly request: HeldRequest; readonly value: number }[]): void {
    for (const [, shard] of Map.groupBy(marks, ({ request }) => request.bullWorker)) {
      const keys = shard.map(({ request }) => request.bullWorker.keys.request(request.id))
      // Lost with the connection: at most one death is judged wrongly, and one is never enough to fail a request.
      this.#redis.streamMark(keys.length, ...keys, field, ...shard.flatMap(({ request, value }) => [request.epoch, value])).catch(() => {})
    }
  }
}
