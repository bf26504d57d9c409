import type { DoctorConfig } from '../config/doctor-config.ts'
import { checkDeterminism } from './check-determinism.ts'
import { checkMemory } from './check-memory.ts'
import { checkModel } from './check-model.ts'
import { checkPort } from './check-port.ts'
import { checkProcessor } from './check-processor.ts'
import { checkRedis } from './check-redis.ts'
import { checkRuntime } from './check-runtime.ts'
import type { Finding } from './finding.ts'

/** Checks everything that a server with this configuration depends on, fast checks first. */
export async function* examine(config: DoctorConfig): AsyncGenerator<Finding, void> {
  const runtime = await checkRuntime()
  yield* runtime
  yield await checkProcessor(config.machine.cores)
  yield await checkPort(config.host, config.port)
  yield* await checkRedis(config.path, config.redisUrl)
  const { findings, model } = await checkModel(config)
  yield* findings
  yield* checkMemory({ ...config, memoryBytes: config.machine.memoryBytes }, model)
  if (model !== null && runtime.every(({ state }) => state === 'ok')) yield* await checkDeterminism(model, config.threads)
}
