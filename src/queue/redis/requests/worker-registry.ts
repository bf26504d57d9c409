import { z } from 'zod'
import type { EngineStatistics } from '../../../inference/contract/statistics.ts'
import type { ScriptedRedis } from '../connection/commands.ts'
import { type RedisKeys, WORKER_TTL_MS } from '../connection/keys.ts'

/** A worker without a heartbeat for this long is not counted. */
const SILENT_MS = 15_000

/** Written by a worker, hence checked in outline only. */
const StatisticsOutline = z.custom<EngineStatistics>(
  value => typeof value === 'object' && value !== null && 'gauges' in value && 'counters' in value
)

const WorkerInfo = z.object({
  workerId: z.string(),
  modelHash: z.string(),
  slots: z.int(),
  freeRows: z.int(),
  seenAtMs: z.number(),
  /** As of its last heartbeat; null before the first. */
  statistics: StatisticsOutline.nullable()
})

/** What a worker reports every few seconds. */
export type WorkerInfo = z.infer<typeof WorkerInfo>

export async function registerWorker(redis: ScriptedRedis, keys: RedisKeys, info: WorkerInfo): Promise<void> {
  await redis.hset(keys.workers, info.workerId, JSON.stringify(info))
  await redis.pexpire(keys.workers, WORKER_TTL_MS)
}

/** Live workers. Workers without a recent heartbeat are deleted from the registry. */
export async function readWorkers(redis: ScriptedRedis, keys: RedisKeys, nowMs: number): Promise<readonly WorkerInfo[]> {
  const live: WorkerInfo[] = []
  for (const [workerId, json] of Object.entries(await redis.hgetall(keys.workers))) {
    const info = WorkerInfo.parse(JSON.parse(json))
    if (nowMs - info.seenAtMs < SILENT_MS) live.push(info)
    else await redis.hdel(keys.workers, workerId)
  }
  return live
}
