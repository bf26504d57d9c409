import { createEngine, EngineOptions } from './workers/worker-engine.ts'
import { hostWorker } from './workers/worker-host.ts'

/** Far shorter than any `--step-timeout-seconds`. */
const HEARTBEAT_MS = 500

/** Entry of a worker process. Its only argument is `EngineOptions` as JSON. */
const options = EngineOptions.parse(JSON.parse(process.argv[2] ?? ''))
await hostWorker(HEARTBEAT_MS, host => createEngine(options, host))
