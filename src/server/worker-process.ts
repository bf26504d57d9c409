import { z } from 'zod'
import { createEngine, EngineOptions } from './worker-engine.ts'
import { hostWorker } from './worker-host.ts'

/** The one argument of this module, as JSON. */
const WorkerProcessOptions = z.strictObject({
  heartbeatMs: z.int().min(1),
  engine: EngineOptions
})
export type WorkerProcessOptions = z.infer<typeof WorkerProcessOptions>

const options = WorkerProcessOptions.parse(JSON.parse(process.argv[2] ?? ''))
await hostWorker(options.heartbeatMs, emit => createEngine(options.engine, emit))
