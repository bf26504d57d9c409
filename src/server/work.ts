import { pino } from 'pino'
import { ServiceError } from '../inference/contract/errors.ts'
import { parseRedisUrl } from '../queue/redis/redis-url.ts'
import { ExitError } from './config/exit-error.ts'
import type { WorkerConfig } from './config/worker-config.ts'
import type { Reporter } from './download/reporter.ts'
import { RedisPool } from './redis-pool.ts'
import { loadServedModel } from './served-model.ts'
import { handleShutdown } from './shutdown.ts'
import { SUPERVISOR_DEFAULTS, Supervisor } from './supervisor.ts'

const STANDARD_ERROR = 2
/** Within this, Redis answers, or it is away. */
const REDIS_ANSWERS_MS = 5000
/** Workers give back by themselves what does not end in time; those that have not left so much later are killed. */
const GOODBYE_MS = 4000

/** Starts workers for a queue in Redis; resolves when one has its model and works. It ends by signal. */
export async function work(config: WorkerConfig, reporter: Reporter): Promise<void> {
  const served = await loadServedModel(config.load, reporter)
  await served.text.close()
  const log = pino({ level: config.logLevel }, pino.destination(STANDARD_ERROR))
  const stepTimeoutMs = config.stepTimeoutSeconds * 1000
  const drainMs = config.drainSeconds * 1000
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
  if (modelHash !== null) await agreeOnModel(pool, modelHash, config.redisUrl)
  const supervisor = new Supervisor({
    ...SUPERVISOR_DEFAULTS,
    workers: config.load.workers,
    spareWorkers: config.spareWorkers,
    argument: JSON.stringify(served.engine),
    pool,
    log,
    stepTimeoutMs
  })
  const shutdown = handleShutdown({
    drainMs,
    drain: async signal => {
      await supervisor.stop(later(signal, GOODBYE_MS))
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
  if (isReady) reporter.line(`Working for the queue ${config.redisPrefix} at ${placeOf(config.redisUrl)}. Ctrl-C ends it.`)
}

async function agreeOnModel(pool: RedisPool, modelHash: string, url: string): Promise<void> {
  const silence = AbortSignal.timeout(REDIS_ANSWERS_MS)
  const isAway = new Promise<never>((_, reject) => {
    silence.addEventListener('abort', () => reject(new ExitError(1, `Redis at ${placeOf(url)} does not answer: is it running?`)))
  })
  try {
    await Promise.race([pool.claimModel(modelHash), isAway])
  } catch (cause) {
    await pool.close()
    throw cause instanceof ServiceError ? new ExitError(2, cause.message, { cause }) : cause
  }
}

/** Without name and password. */
function placeOf(url: string): string {
  return (parseRedisUrl(url)?.nodes ?? []).map(({ host, port }) => `${host}:${port}`).join(', ')
}

/** Aborts so much later than the other. */
function later(signal: AbortSignal, ms: number): AbortSignal {
  const controller = new AbortController()
  const start = (): void => void setTimeout(() => controller.abort(), ms).unref()
  if (signal.aborted) start()
  else signal.addEventListener('abort', start, { once: true })
  return controller.signal
}
