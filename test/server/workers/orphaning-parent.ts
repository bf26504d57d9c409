import { startWorkers } from './start-workers.ts'

/** A parent with two workers, to be killed: it tells their pids. */
const workers = startWorkers({}, { workers: 2 })
await workers.hasLogged('a worker is ready', 2)
process.send?.(workers.pids())
