import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { askRedisFacts, type RedisFacts, RedisRefusal } from '../../queue/redis/connection/redis-facts.ts'
import { describeRedis, parseRedisUrl } from '../../queue/redis/connection/redis-url.ts'
import { type Finding, info, ok, problem } from './finding.ts'

/** BullMQ warns about missing commands below this version. */
const MIN_VERSION = [6, 2] as const
const REDIS_TIMEOUT_MS = 5000

/** Checks the Redis of the queue; without a URL, reports whether a Redis server is installed. */
export async function checkRedis(path: string | undefined, url: string | null): Promise<readonly Finding[]> {
  const address = url === null ? null : parseRedisUrl(url)
  if (address === null) return [await findRedisServer(path)]
  const where = describeRedis(address)
  try {
    return redisFindings(where, await askRedisFacts(address, REDIS_TIMEOUT_MS))
  } catch (error) {
    if (!(error instanceof RedisRefusal)) throw error
    return [problem('Redis', `Redis at ${where} ${error.message}`, 'start it, or give another --redis-url')]
  }
}

function redisFindings(where: string, { version, level, isCluster, evictionPolicy, persistence }: RedisFacts): Finding[] {
  const isOld = level[0] < MIN_VERSION[0] || (level[0] === MIN_VERSION[0] && level[1] < MIN_VERSION[1])
  const kind = isCluster ? ', a cluster' : ''
  return [
    isOld
      ? problem('Redis', `${version} at ${where}: too old`, `install Redis ${MIN_VERSION.join('.')} or newer, or Valkey`)
      : ok('Redis', `${version} at ${where}${kind}`),
    evictionPolicy === 'noeviction'
      ? ok('Redis memory', 'noeviction: a full Redis rejects new requests and drops no data')
      : problem(
          'Redis memory',
          `${evictionPolicy}: a full Redis drops requests and streams`,
          'redis-cli config set maxmemory-policy noeviction'
        ),
    persistence === 'none' || persistence === 'snapshots'
      ? info(
          'Redis on disk',
          `${persistence}: running and waiting requests are lost if Redis crashes`,
          'redis-cli config set appendonly yes'
        )
      : info('Redis on disk', persistence === 'unknown' ? 'its persistence settings cannot be read' : persistence)
  ]
}

/** A Redis server is optional. */
async function findRedisServer(path: string | undefined): Promise<Finding> {
  const names = ['redis-server', 'valkey-server', 'redis-server.exe']
  const files = (path ?? '').split(delimiter).flatMap(folder => (folder === '' ? [] : names.map(name => join(folder, name))))
  for (const file of files) {
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false
    )
    if (isThere) return ok('Redis', `${file} (optional: without --redis-url the queue is in the memory of the server)`)
  }
  return info('Redis', 'no redis-server in PATH (optional: without --redis-url the queue is in the memory of the server)')
}
