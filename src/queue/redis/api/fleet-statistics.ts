import { type EngineStatistics, sumOfCounters, ZERO_COUNTERS, ZERO_GAUGES } from '../../../inference/contract/statistics.ts'

/** Workers without a heartbeat that are remembered one by one, because they may report again. */
const MAX_GONE = 1000

/**
 * Statistics of all workers, past and present. The sum of their counters is monotonic: the last counters of a worker
 * that is gone remain part of it.
 */
export class FleetStatistics {
  /** By worker id; gauges of workers that are gone are 0. Ordered by their last report, oldest first. */
  readonly #known = new Map<string, EngineStatistics>()
  #countersOfForgotten = ZERO_COUNTERS

  /** @param living  by worker id, which is never reused */
  update(living: ReadonlyMap<string, EngineStatistics>): void {
    for (const [workerId, { counters }] of this.#known)
      if (!living.has(workerId)) this.#known.set(workerId, { gauges: ZERO_GAUGES, counters })
    for (const [workerId, statistics] of living) {
      this.#known.delete(workerId)
      this.#known.set(workerId, statistics)
    }
    for (const [workerId, { counters }] of this.#known) {
      if (this.#known.size - living.size <= MAX_GONE) break
      this.#known.delete(workerId)
      this.#countersOfForgotten = sumOfCounters([this.#countersOfForgotten, counters])
    }
  }

  get all(): readonly EngineStatistics[] {
    return [...this.#known.values(), { gauges: ZERO_GAUGES, counters: this.#countersOfForgotten }]
  }
}
