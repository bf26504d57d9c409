import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'

/** Keys that BullMQ keeps for an empty queue, and the registry of live workers. */
const LASTING = /:generation:(meta|id|events|marker|pc|stalled-check)$|:workers$/
const SETTLE_MS = 30_000

/**
 * Keys that a queue in Redis still has after all requests have ended; empty if nothing leaked. Waits some seconds for
 * keys to be removed.
 */
export async function redisLeftovers(port: number): Promise<readonly string[]> {
  const redis = new Redis({ port, host: '127.0.0.1', lazyConnect: true })
  try {
    const untilMs = performance.now() + SETTLE_MS
    for (;;) {
      const found = await findLeftovers(redis)
      if (found.length === 0 || performance.now() > untilMs) return found
      await sleep(500)
    }
  } finally {
    redis.disconnect()
  }
}

async function findLeftovers(redis: Redis): Promise<readonly string[]> {
  const found: string[] = []
  for (const key of await redis.keys('*')) {
    const ttl = await redis.pttl(key)
    if (key.endsWith(':lock')) found.push(`lock ${key}`)
    else if (key.endsWith(':active') || key.endsWith(':prioritized') || key.endsWith(':wait')) found.push(`jobs in ${key}`)
    else if (ttl === -1 && !LASTING.test(key)) found.push(`no TTL of ${key}`)
  }
  return found
}
