import { pino } from 'pino'
import { invariant } from '../inference/contract/invariant.ts'
import { parseRedisUrl, placeOf } from '../queue/redis/redis-url.ts'
import { agreeOnModel, reachRedis } from './agree-on-model.ts'
import { cacheFilesFor } from './cache-files.ts'
import type { WorkerConfig } from './config/worker-config.ts'
import type { Reporter } from './download/reporter.ts'
import { laterSignal } from './later-signal.ts'
import { GOODBYE_MS, RedisPool } from './redis-pool.ts'
import { loadServedModel } from './served-model.ts'
import { handleShutdown } from './shutdown.ts'
import { SUPERVISOR_DEFAULTS, Supervisor } from './supervisor.ts'

const STANDARD_ERROR = 2

/** Starts workers for a queue in Redis; resolves when one has its model and works. It ends by signal. */
export async function work(config: WorkerConfig, reporter: Reporter): Promise<void> {
  const served = await loadServedModel(config.load, reporter)
  await served.text.close()
  const log = pino({ level: config.logLevel }, pino.destination(STANDARD_ERROR))
  const stepTimeoutMs = config.stepTimeoutSeconds * 1000
  const drainMs = config.drainSeconds * 1000
  const address = parseRedisUrl(config.redisUrl)
  invariant(address !== null, 'an address of Redis that was not checked')
  await reachRedis(address)
  const pool = new RedisPool(
    {
      place: { url: config.redisUrl, prefix: config.redisPrefix, shards: config.redisShards },
      drainMs,
      stepTimeoutMs,
      logLevel: config.logLevel
    },
    log
  )
  const { modelHash } = served.card
  if (modelHash !== null) await agreeOnModel(pool, modelHash, address)
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
      await supervisor.stop(laterSignal(signal, GOODBYE_MS), remainingMs())
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
  if (isReady) reporter.line(`Working for the queue ${config.redisPrefix} at ${placeOf(address)}. Ctrl-C ends it.`)
}
