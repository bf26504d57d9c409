import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { askRedisFacts, type RedisFacts, RedisRefusal } from '../../queue/redis/connection/redis-facts.ts'
import { describeRedis, parseRedisUrl } from '../../queue/redis/connection/redis-url.ts'
import { type Finding, info, ok, problem } from './finding.ts'

/** Below this, BullMQ warns that commands it likes are missing. */
const OLDEST = [6, 2] as const
const REDIS_ANSWERS_MS = 5000

/** The Redis that the queue is to live in; without one, whether there could be one here. */
export async function checkRedis(path: string | undefined, url: string | null): Promise<readonly Finding[]> {
  const address = url === null ? null : parseRedisUrl(url)
  if (address === null) return [await lookFor(path)]
  const where = describeRedis(address)
  try {
    return judge(where, await askRedisFacts(address, REDIS_ANSWERS_MS))
  } catch (error) {
    if (!(error instanceof RedisRefusal)) throw error
    return [problem('Redis', `Redis at ${where} ${error.message}`, 'start it, or give another --redis-url')]
  }
}

function judge(where: string, { version, level, isCluster, evictionPolicy, persistence }: RedisFacts): Finding[] {
  const isOld = level[0] < OLDEST[0] || (level[0] === OLDEST[0] && level[1] < OLDEST[1])
  const kind = isCluster ? ', a cluster' : ''
  return [
    isOld
      ? problem('Redis', `${version} at ${where}: too old`, `Redis ${OLDEST.join('.')} or newer, or Valkey`)
      : ok('Redis', `${version} at ${where}${kind}`),
    evictionPolicy === 'noeviction'
      ? ok('Redis memory', 'noeviction: what does not fit is refused, and nothing that is needed is dropped')
      : problem(
          'Redis memory',
          `${evictionPolicy}: a full Redis drops requests and logs`,
          'redis-cli config set maxmemory-policy noeviction'
        ),
    persistence === 'none' || persistence === 'snapshots'
      ? info('Redis on disk', `${persistence}: what runs when Redis dies is lost, as is what waits`, 'redis-cli config set appendonly yes')
      : info('Redis on disk', persistence === 'unknown' ? 'it may not be asked whether it writes an append-only file' : persistence)
  ]
}

/** None is needed. */
async function lookFor(path: string | undefined): Promise<Finding> {
  const names = ['redis-server', 'valkey-server', 'redis-server.exe']
  const files = (path ?? '').split(delimiter).flatMap(folder => (folder === '' ? [] : names.map(name => join(folder, name))))
  for (const file of files) {
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false
    )
    if (isThere) return ok('Redis', `${file} (not needed: without --redis-url the queue lives in the server)`)
  }
  return info('Redis', 'no redis-server in PATH, and none is needed: without --redis-url the queue lives in the server')
}
