import { hasEnded } from '../requests/request-store.ts'
import type { Shard } from './shard.ts'

/** Interval of checks during a drain. */
const DRAIN_LOOK_MS = 50

/** Plain requests that this process has admitted and that have not ended: no other process will read them. */
export class OwnRequests {
  readonly #shardOf: (requestId: string) => Shard
  readonly #ids = new Set<string>()

  constructor(shardOf: (requestId: string) => Shard) {
    this.#shardOf = shardOf
  }

  get ids(): readonly string[] {
    return [...this.#ids]
  }

  add(requestId: string): void {
    this.#ids.add(requestId)
  }

  async forgetEnded(): Promise<void> {
    for (const [shard, ids] of Map.groupBy(this.#ids, id => this.#shardOf(id))) {
      const statuses = await shard.store.statuses(ids)
      ids.forEach((id, index) => {
        const status = statuses[index]
        if (status === null || status === undefined || hasEnded(status)) this.#ids.delete(id)
      })
    }
  }

  /** Resolves when all have ended, or when `signal` aborts. */
  async ended(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.forgetEnded().catch(() => {})
      if (this.#ids.size === 0) return
      await new Promise(resolve => {
        const timer = setTimeout(done, DRAIN_LOOK_MS)
        signal.addEventListener('abort', done)
        function done(): void {
          clearTimeout(timer)
          signal.removeEventListener('abort', done)
          resolve(null)
        }
      })
    }
  }
}
