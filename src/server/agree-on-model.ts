import { ServiceError } from '../inference/contract/errors.ts'
import { parseRedisUrl } from '../queue/redis/redis-url.ts'
import { ExitError } from './config/exit-error.ts'
import type { RedisPool } from './redis-pool.ts'

/** Within this, Redis answers, or it is away. */
const REDIS_ANSWERS_MS = 5000

/**
 * All who share a queue serve one model: the first who comes says which.
 *
 * @throws {ExitError} Redis does not answer, or another model is served there
 */
export async function agreeOnModel(pool: RedisPool, modelHash: string, url: string): Promise<void> {
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
export function placeOf(url: string): string {
  return (parseRedisUrl(url)?.nodes ?? []).map(({ host, port }) => `${host}:${port}`).join(', ')
}
