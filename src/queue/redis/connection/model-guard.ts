import { ServiceError } from '../../../inference/contract/errors.ts'
import { WORKER_TTL_MS } from '../scripts/worker-scripts.ts'
import type { ScriptedRedis } from './commands.ts'
import type { RedisKeys } from './keys.ts'

/**
 * Whoever comes first says which model is served here; a request must not begin with one and go on with another.
 *
 * @throws {ServiceError} `unavailable` when another model is served under this prefix: its message is shown to people
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
