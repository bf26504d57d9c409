import { ServiceError } from '../../../inference/contract/errors.ts'
import type { ScriptedRedis } from './commands.ts'
import { type RedisKeys, WORKER_TTL_MS } from './keys.ts'

/**
 * Claims the prefix for a model: a request must not start with one model and be resumed with another. The first claim
 * decides, for as long as workers renew it.
 *
 * @throws {ServiceError} `unavailable` when another model is served under this prefix; operators see the message
 */
export async function claimModel(redis: ScriptedRedis, shards: readonly RedisKeys[], modelHash: string): Promise<void> {
  for (const { model } of shards) {
    const isOurs = (await redis.set(model, modelHash, 'PX', WORKER_TTL_MS, 'NX')) === 'OK'
    const served = isOurs ? modelHash : await redis.get(model)
    if (served !== null && served !== modelHash) {
      throw new ServiceError(
        'unavailable',
        `another model is served on this Redis: ${short(served)}, not ${short(modelHash)}. Serve the same one, choose another --redis-prefix, ` +
          `or wait ${WORKER_TTL_MS / 1000} s after its last worker has ended`
      )
    }
    await redis.pexpire(model, WORKER_TTL_MS)
  }
}

function short(modelHash: string): string {
  return modelHash.length > 16 ? `${modelHash.slice(0, 12)}…` : modelHash
}
