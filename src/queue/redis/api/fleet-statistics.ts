import { type EngineStatistics, sumOfCounters, ZERO_COUNTERS, ZERO_GAUGES } from '../../../inference/contract/statistics.ts'

/** Workers that are gone and remembered one by one, because they may come back. */
const MAX_GONE = 1000

/**
 * Statistics of workers that come and go. The sum of their counters never shrinks: what a worker was last known to have
 * done stays.
 */
export class FleetStatistics {
  /** By the worker's id; those that are gone have no load. The longest silent first. */
  readonly #known = new Map<string, EngineStatistics>()
  #countersOfForgotten = ZERO_COUNTERS

  /** @param living  by the worker's id, which no other worker ever has */
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
