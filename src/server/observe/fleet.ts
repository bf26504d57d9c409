import type { EngineStatistics } from '../../inference/contract/statistics.ts'
import type { Supervisor } from '../workers/supervisor.ts'
import type { WorkerState } from '../workers/worker-child.ts'

/** What is to be known of the workers, wherever they are. */
export interface Fleet {
  /** Of all workers of the queue. What those did that have died is part of it, so that sums only grow. */
  workerStatistics(): Promise<readonly EngineStatistics[]>
  /** Of the workers that this process keeps: state by state, how many are in it. */
  readonly workersByState: Readonly<Partial<Record<WorkerState, number>>>
  /** Of those, how many have died so far. */
  readonly deaths: number
  /** How many requests went on with another worker after the death of theirs. */
  readonly failovers: number
  /** Whether the store of the queue answered when it was last asked. */
  readonly isQueueReachable: boolean
}

interface FleetQueue {
  /** Of all workers, anywhere; null where the supervisor has them all. */
  readonly statistics: (() => readonly EngineStatistics[]) | null
  readonly pool: { readonly handedOn: number }
  readonly isReachable: () => boolean
}

/** The workers of a queue: where nobody else has any, those of the supervisor, whose last words it has heard. */
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
