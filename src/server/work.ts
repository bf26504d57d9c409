import { describeRedis } from '../queue/redis/connection/redis-url.ts'
import type { WorkerConfig } from './config/worker-config.ts'
import type { Reporter } from './download/reporter.ts'
import { openLog } from './logger.ts'
import { loadServedModel } from './served-model.ts'
import { delayedSignal, handleShutdown } from './shutdown.ts'
import { cacheFilesFor } from './workers/cache-files.ts'
import { joinRedis } from './workers/join-redis.ts'
import { EXIT_GRACE_MS } from './workers/redis-pool.ts'
import { SUPERVISOR_DEFAULTS, Supervisor } from './workers/supervisor.ts'

/** Starts workers for a queue in Redis; resolves when one is ready. A signal ends them. */
export async function work(config: WorkerConfig, reporter: Reporter): Promise<void> {
  const served = await loadServedModel(config.load, reporter)
  await (await served.text).close()
  const log = openLog(config.logLevel)
  const stepTimeoutMs = config.stepTimeoutSeconds * 1000
  const drainMs = config.drainSeconds * 1000
  const { address, pool } = await joinRedis(
    {
      endpoint: { url: config.redisUrl, prefix: config.redisPrefix, shards: config.redisShards },
      drainMs,
      stepTimeoutMs,
      logLevel: config.logLevel
    },
    served.card.modelHash,
    log
  )
  const supervisor = new Supervisor({
    ...SUPERVISOR_DEFAULTS,
    workers: config.load.workers,
    spareWorkers: config.spareWorkers,
    argument: JSON.stringify(served.engine),
    pool,
    log,
    cacheFiles: cacheFilesFor(served.engine, config.load.workers),
    stepTimeoutMs
  })
  const shutdown = handleShutdown({
    drainMs,
    drain: async (signal, remainingMs) => {
      await supervisor.stop(delayedSignal(signal, EXIT_GRACE_MS), remainingMs())
      await pool.close()
    },
    killNow: () => supervisor.kill(),
    log,
    process
  })
  void supervisor.fatal.then(message => {
    reporter.problem(`everstream: ${message}`)
    shutdown.begin(message, 1)
  })
  supervisor.start()
  const isReady = await Promise.race([supervisor.ready.then(() => true), supervisor.fatal.then(() => false)])
  if (isReady) reporter.line(`Processing queue ${config.redisPrefix} at ${describeRedis(address)}. Press Ctrl-C to stop.`)
}
