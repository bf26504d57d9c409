import { z } from 'zod'

/** Where the queue is, and what its keys begin with. */
export const RedisEndpoint = z.strictObject({
  /** In a form that `parseRedisUrl` reads. May hold a password: not for command lines or logs. */
  url: z.string(),
  prefix: z.string(),
  shards: z.int().min(1)
})
export type RedisEndpoint = z.infer<typeof RedisEndpoint>

/** What a worker process is told of its slot at a queue in Redis. */
export const RedisWorkerSettings = z.strictObject({
  endpoint: RedisEndpoint,
  workerId: z.string(),
  /** Of a worker that has lost its parent. */
  drainMs: z.number(),
  stepTimeoutMs: z.number(),
  logLevel: z.string()
})
export type RedisWorkerSettings = z.infer<typeof RedisWorkerSettings>
