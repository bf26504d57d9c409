import { ServiceError } from '../../inference/contract/errors.ts'
import { invariant } from '../../inference/contract/invariant.ts'
import { askRedisFacts, RedisRefusal } from '../../queue/redis/connection/redis-facts.ts'
import { describeRedis, parseRedisUrl, type RedisAddress } from '../../queue/redis/connection/redis-url.ts'
import { ExitError } from '../config/exit-error.ts'
import type { Logger } from '../logger.ts'
import { RedisPool } from './redis-pool.ts'
import type { RedisWorkerSettings } from './redis-worker-settings.ts'

/** Redis is unreachable if it does not answer within this time. */
const REDIS_ANSWERS_MS = 5000

/**
 * Opens the pool of a queue in Redis for this model.
 *
 * @param modelHash  null where no model is served
 * @throws {ExitError} this Redis cannot be used, or serves another model; the message is one line
 */
export async function joinRedis(
  settings: Omit<RedisWorkerSettings, 'workerId'>,
  modelHash: string | null,
  log: Logger
): Promise<{ readonly address: RedisAddress; readonly pool: RedisPool }> {
  const address = parseRedisUrl(settings.endpoint.url)
  invariant(address !== null, 'a Redis URL was not validated')
  await reachRedis(address)
  const pool = new RedisPool(settings, log)
  if (modelHash !== null) await agreeOnModel(pool, modelHash, address)
  return { address, pool }
}

async function reachRedis(address: RedisAddress): Promise<void> {
  try {
    await askRedisFacts(address, REDIS_ANSWERS_MS)
  } catch (cause) {
    throw cause instanceof RedisRefusal ? new ExitError(1, `Redis at ${describeRedis(address)} ${cause.message}`, { cause }) : cause
  }
}

/**
 * All processes that share a queue serve one model; the first one determines it.
 *
 * @throws {ExitError} Redis has become unreachable, or serves another model
 */
async function agreeOnModel(pool: RedisPool, modelHash: string, address: RedisAddress): Promise<void> {
  const silence = AbortSignal.timeout(REDIS_ANSWERS_MS)
  const isAway = new Promise<never>((_, reject) => {
    silence.addEventListener('abort', () => reject(new ExitError(1, `Redis at ${describeRedis(address)} does not answer any more`)))
  })
  try {
    await Promise.race([pool.claimModel(modelHash), isAway])
  } catch (cause) {
    await pool.close()
    throw cause instanceof ServiceError ? new ExitError(2, cause.message, { cause }) : cause
  }
}
