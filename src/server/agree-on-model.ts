import { ServiceError } from '../inference/contract/errors.ts'
import { askRedisFacts, RedisRefusal } from '../queue/redis/redis-facts.ts'
import { placeOf, type RedisAddress } from '../queue/redis/redis-url.ts'
import { ExitError } from './config/exit-error.ts'
import type { RedisPool } from './redis-pool.ts'

/** Within this, Redis answers, or it is away. */
const REDIS_ANSWERS_MS = 5000

/** @throws {ExitError} with one line that says why this Redis cannot be used */
export async function reachRedis(address: RedisAddress): Promise<void> {
  try {
    await askRedisFacts(address, REDIS_ANSWERS_MS)
  } catch (cause) {
    throw cause instanceof RedisRefusal ? new ExitError(1, `Redis at ${placeOf(address)} ${cause.message}`, { cause }) : cause
  }
}

/**
 * All who share a queue serve one model: the first who comes says which.
 *
 * @throws {ExitError} Redis has gone, or another model is served there
 */
export async function agreeOnModel(pool: RedisPool, modelHash: string, address: RedisAddress): Promise<void> {
  const silence = AbortSignal.timeout(REDIS_ANSWERS_MS)
  const isAway = new Promise<never>((_, reject) => {
    silence.addEventListener('abort', () => reject(new ExitError(1, `Redis at ${placeOf(address)} does not answer any more`)))
  })
  try {
    await Promise.race([pool.claimModel(modelHash), isAway])
  } catch (cause) {
    await pool.close()
    throw cause instanceof ServiceError ? new ExitError(2, cause.message, { cause }) : cause
  }
}
