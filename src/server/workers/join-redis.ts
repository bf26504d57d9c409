import { ServiceError } from '../../inference/contract/errors.ts'
import { invariant } from '../../inference/contract/invariant.ts'
import { askRedisFacts, RedisRefusal } from '../../queue/redis/connection/redis-facts.ts'
import { describeRedis, parseRedisUrl, type RedisAddress } from '../../queue/redis/connection/redis-url.ts'
import { ExitError } from '../config/exit-error.ts'
import type { Logger } from '../logger.ts'
import { RedisPool } from './redis-pool.ts'
import type { RedisWorkerSettings } from './redis-worker-settings.ts'

/** Within this, Redis answers, or it is away. */
const REDIS_ANSWERS_MS = 5000

/**
 * The pool of a queue in Redis, for this model.
 *
 * @param modelHash  null where there is no model to agree on
 * @throws {ExitError} with one line that says why this Redis cannot be used, or that another model is served there
 */
export async function joinRedis(
  settings: Omit<RedisWorkerSettings, 'workerId'>,
  modelHash: string | null,
  log: Logger
): Promise<{ readonly address: RedisAddress; readonly pool: RedisPool }> {
  const address = parseRedisUrl(settings.endpoint.url)
  invariant(address !== null, 'an address of Redis that was not checked')
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
 * All who share a queue serve one model: the first who comes says which.
 *
 * @throws {ExitError} Redis has gone, or another model is served there
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
