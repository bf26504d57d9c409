import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseRedisUrl } from '../../../src/queue/redis/connection/redis-url.ts'
import { openQueueBoard, type QueueBoard } from '../../../src/queue/redis/queue-board.ts'
import { QUEUE_BOARD_PATH } from '../../../src/server/app.ts'
import { testApp } from '../../server/app-parts.ts'
import { aRequest } from '../a-request.ts'
import { RedisRig } from './redis-rig.ts'
import { type RedisServer, startRedis } from './redis-server.ts'
import { describeWithRedis } from './with-redis.ts'

const SHARDS = 2

describeWithRedis('the queue board', () => {
  let server: RedisServer
  let rig: RedisRig
  let board: QueueBoard
  beforeAll(async () => {
    server = await startRedis()
    rig = await RedisRig.open(server, { shards: SHARDS })
    const address = parseRedisUrl(server.url)
    if (address === null) throw new Error('no address of Redis')
    board = openQueueBoard({ address, prefix: rig.prefix, shards: SHARDS, path: QUEUE_BOARD_PATH })
  })
  afterAll(async () => {
    await board.close()
    await rig[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  const get = async (app: ReturnType<typeof testApp>, path: string, headers = {}) =>
    await app.inject({ url: `${QUEUE_BOARD_PATH}${path}`, headers })

  it('is not served unless it is enabled', async () => {
    const app = testApp()
    for (const path of ['', '/', '/api/queues']) expect((await get(app, path)).statusCode).toBe(404)
  })

  it('is a page, and lists waiting requests of each shard', async () => {
    const app = testApp({ queueBoard: board.plugin })
    const page = await get(app, '')
    expect([page.statusCode, page.headers['content-type']]).toEqual([200, expect.stringContaining('text/html')])
    expect(page.body).toContain(`<base href="${QUEUE_BOARD_PATH}/"`)
    for (let count = 0; count < 6; count++) await rig.queue.submit(aRequest())
    const { queues } = (await get(app, '/api/queues')).json()
    expect(queues).toMatchObject([{ name: 'shard-0-generation' }, { name: 'shard-1-generation' }])
    expect(
      queues.map((queue: { counts: { prioritized: number } }) => queue.counts.prioritized).reduce((a: number, b: number) => a + b)
    ).toBe(6)
  })

  it('is read-only', async () => {
    const app = testApp({ queueBoard: board.plugin })
    const paused = await app.inject({ method: 'PUT', url: `${QUEUE_BOARD_PATH}/api/queues/shard-0-generation/pause` })
    expect(paused.statusCode).toBe(405)
  })

  it('requires the API key, as every route does', async () => {
    const app = testApp({ queueBoard: board.plugin, apiKeys: ['sk-1'] })
    for (const path of ['', '/api/queues', '/static/css/none.css']) expect((await get(app, path)).statusCode).toBe(401)
    expect((await get(app, '/api/queues', { authorization: 'Bearer sk-1' })).statusCode).toBe(200)
  })
})
