import { startWorkers } from './start-workers.ts'

/** A parent with two workers, which sends their pids and is killed by the test. */
const workers = startWorkers({}, { workers: 2 })
await workers.hasLogged('a worker is ready', 2)
process.send?.(workers.pids())
