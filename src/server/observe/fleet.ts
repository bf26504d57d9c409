import type { EngineStatistics } from '../../inference/contract/statistics.ts'
import type { Supervisor } from '../workers/supervisor.ts'
import type { WorkerState } from '../workers/worker-child.ts'

/** The state of the workers, for the metrics. */
export interface Fleet {
  /**
   * Statistics of all workers of the queue. Counters of crashed workers are included, so that the sums are monotonic.
   */
  workerStatistics(): Promise<readonly EngineStatistics[]>
  /** Number of worker processes of this server in each state. */
  readonly workersByState: Readonly<Partial<Record<WorkerState, number>>>
  /** Number of worker processes of this server that have crashed. */
  readonly deaths: number
  /** Number of requests that resumed at another worker after a crash. */
  readonly failovers: number
  /** Whether Redis answered the last command; always true for the embedded queue. */
  readonly isQueueReachable: boolean
}

interface FleetQueue {
  /** Statistics of all workers of the queue; null if all of them belong to the supervisor. */
  readonly statistics: (() => readonly EngineStatistics[]) | null
  readonly pool: { readonly handedOn: number }
  readonly isReachable: () => boolean
}

/** The workers of a queue: those in Redis, or those of the supervisor for the embedded queue. */
export function fleetOf(supervisor: Supervisor, { statistics, pool, isReachable }: FleetQueue): Fleet {
  return {
    workerStatistics: async () => (statistics === null ? supervisor.statistics : statistics()),
    get workersByState() {
      return byState(supervisor)
    },
    get deaths() {
      return supervisor.deathCount
    },
    get failovers() {
      return pool.handedOn
    },
    get isQueueReachable() {
      return isReachable()
    }
  }
}

function byState({ workers }: Pick<Supervisor, 'workers'>): Partial<Record<WorkerState, number>> {
  const counts: Partial<Record<WorkerState, number>> = {}
  for (const { state } of workers) counts[state] = (counts[state] ?? 0) + 1
  return counts
}
