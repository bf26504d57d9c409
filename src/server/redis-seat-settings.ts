import { z } from 'zod'

/** Where the queue is, and what its keys begin with. */
export const RedisPlace = z.strictObject({
  /** In a form that `parseRedisUrl` reads. May hold a password: not for command lines or logs. */
  url: z.string(),
  prefix: z.string(),
  shards: z.int().min(1)
})
export type RedisPlace = z.infer<typeof RedisPlace>

/** What a worker process is told of its place at a queue in Redis. */
export const RedisSeatSettings = z.strictObject({
  place: RedisPlace,
  workerId: z.string(),
  /** Of a worker that has lost its parent. */
  drainMs: z.number(),
  stepTimeoutMs: z.number(),
  logLevel: z.string()
})
export type RedisSeatSettings = z.infer<typeof RedisSeatSettings>
