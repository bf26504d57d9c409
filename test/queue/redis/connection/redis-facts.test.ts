import { afterAll, beforeAll, expect, it } from 'vitest'
import { freePort } from '../../../../load/free-port.ts'
import { askRedisFacts } from '../../../../src/queue/redis/connection/redis-facts.ts'
import { parseRedisUrl } from '../../../../src/queue/redis/connection/redis-url.ts'
import { checkRedis } from '../../../../src/server/doctor/check-redis.ts'
import { type RedisServer, startRedis } from '../redis-server.ts'
import { startCluster, startTls } from '../redis-topologies.ts'
import { describeWithRedis } from '../with-redis.ts'

/** Why a Redis cannot be used; null when it can. */
async function refusal(url: string): Promise<string | null> {
  const address = parseRedisUrl(url)
  if (address === null) return 'no address'
  return await askRedisFacts(address, 1500).then(
    () => null,
    (error: Error) => error.message
  )
}

describeWithRedis('the check of a Redis', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  it('reads the properties that the queue depends on, and the doctor reports them', async () => {
    const redis = server.connect()
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru')
    expect(await checkRedis(undefined, server.url)).toMatchObject([
      { state: 'ok', text: expect.stringMatching(/^(Redis|Valkey) \d+\.\d+/) },
      { state: 'problem', todo: 'redis-cli config set maxmemory-policy noeviction' },
      { state: 'info', todo: 'redis-cli config set appendonly yes' }
    ])
    await redis.config('SET', 'maxmemory-policy', 'noeviction')
    await redis.config('SET', 'appendonly', 'yes')
    expect((await checkRedis(undefined, server.url)).map(({ state, todo }) => [state, todo])).toEqual([
      ['ok', null],
      ['ok', null],
      ['info', null]
    ])
  })

  it('reports in one phrase why a Redis cannot be used', async () => {
    const { host } = new URL(server.url)
    const gone = `127.0.0.1:${await freePort()}`
    expect(await refusal(`redis://${host}/99`)).toBe('has no database of that number')
    expect(await refusal(`redis://nobody:secret@${host}`)).toBe('rejects the name and password of the address')
    expect(await refusal(`rediss://${host}`)).toBe('does not answer: is it running, and does it use TLS?')
    expect(await refusal(`redis+cluster://${host}`)).toBe('is not a cluster: use redis://')
    expect(await refusal(`redis+sentinel://${host}/mymaster`)).toBe('is not a sentinel: use redis://')
    for (const scheme of ['redis', 'rediss', 'redis+cluster']) expect(await refusal(`${scheme}://${gone}`)).toMatch(/^does not answer/)
    const [finding] = await checkRedis(undefined, `redis://:secret@${gone}`)
    expect(finding).toMatchObject({ state: 'problem', text: `Redis at ${gone} does not answer: is it running?` })
  }, 60_000)

  it('reports a missing password, an untrusted certificate, and a cluster that the address does not declare', async () => {
    await using tls = await startTls()
    expect(await refusal(tls.url)).toMatch(/^has a certificate that is not trusted/)
    await using cluster = await startCluster()
    expect(await refusal(cluster.url)).toBeNull()
    expect(await refusal(cluster.url.replace('+cluster', '').replace(/,.*/, ''))).toBe('is a cluster: use redis+cluster://')
    await using open = await startRedis()
    await open.connect().config('SET', 'requirepass', 'secret')
    expect(await refusal(open.url)).toBe('requires a password: redis://:password@host')
    expect(await refusal(open.url.replace('//', '//:wrong@'))).toBe('rejects the name and password of the address')
  }, 60_000)
})
