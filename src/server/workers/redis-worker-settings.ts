import { z } from 'zod'

/** The address of the queue and the prefix of its keys. */
export const RedisEndpoint = z.strictObject({
  /** In a form that `parseRedisUrl` accepts. May contain a password: not for command lines or logs. */
  url: z.string(),
  prefix: z.string(),
  shards: z.int().min(1)
})
export type RedisEndpoint = z.infer<typeof RedisEndpoint>

/** Everything a worker process needs to join a queue in Redis. */
export const RedisWorkerSettings = z.strictObject({
  endpoint: RedisEndpoint,
  workerId: z.string(),
  /** How long a worker that has lost its parent may continue. */
  drainMs: z.number(),
  stepTimeoutMs: z.number(),
  logLevel: z.string()
})
export type RedisWorkerSettings = z.infer<typeof RedisWorkerSettings>
