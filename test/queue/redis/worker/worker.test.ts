import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { redisKeys } from '../../../../src/queue/redis/connection/keys.ts'
import { endRequest } from '../../../../src/queue/redis/requests/claim.ts'
import { aRequest } from '../../a-request.ts'
import { TRICKS } from '../../fake-engine.ts'
import { openWorker } from '../a-worker.ts'
import { TestClient } from '../enqueue.ts'
import { type RedisServer, startRedis } from '../redis-server.ts'
import { describeWithRedis } from '../with-redis.ts'

let server: RedisServer

/** A queue with its own prefix, and as many workers as the test opens. */
function aQueue() {
  const keys = redisKeys(`test-${randomUUID()}`, 0)
  const client = new TestClient(server.connect(), keys)
  async function open(slots: number, stepMs = 0) {
    const opened = await openWorker({ redis: server.connect(), subscriber: server.connect(), shards: [keys], slots, stepMs })
    const { worker } = opened
    return { ...opened, leave: () => worker.drain(AbortSignal.abort()) }
  }
  const ended = (requestId: string) =>
    expect.poll(() => client.state(requestId), { timeout: 10_000, interval: 20 }).toMatch(/finished|failed|cancelled/)
  return { keys, client, open, ended }
}

describeWithRedis('a worker of the queue in Redis', () => {
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  it('appends the events of the engine, and leaves no keys behind', async () => {
    const { client, open, ended } = aQueue()
    const { leave } = await open(4)
    const ids = await Promise.all(Array.from({ length: 10 }, () => client.submit(aRequest({ choicesPerPrompt: 2 }))))
    for (const id of ids) {
      await ended(id)
      const log = await client.log(id)
      expect(log.map(({ ordinal }) => ordinal)).toEqual(log.map((_, index) => index + 1))
      expect(log.map(({ event }) => event.kind)).toEqual(['started', ...Array(6).fill('token'), 'finished'])
    }
    await leave()
    await expect.poll(() => client.leftovers()).toEqual([])
  })

  it('hands back requests that do not end in time; another worker continues after their logs', async () => {
    const { client, open, ended } = aQueue()
    const first = await open(4, 5)
    const id = await client.submit(aRequest({ maxNewTokens: 100 }))
    await expect.poll(async () => (await client.log(id)).length).toBeGreaterThan(5)
    await first.leave()
    expect(await client.state(id)).toBe('waiting')
    const second = await open(4)
    await ended(id)
    const log = await client.log(id)
    expect(log.map(({ ordinal }) => ordinal)).toEqual(Array.from({ length: 102 }, (_, index) => index + 1))
    expect(log.flatMap(({ event }) => (event.kind === 'token' ? event.position : []))).toEqual(Array.from({ length: 100 }, (_, p) => p))
    await second.leave()
    await expect.poll(() => client.leftovers()).toEqual([])
  })

  it('claims no narrow request before a wide one that waits for free rows', async () => {
    const { client, open, ended } = aQueue()
    const { engine, leave } = await open(4, 2)
    const long = await client.submit(aRequest({ choicesPerPrompt: 2, maxNewTokens: 200 }))
    await expect.poll(() => engine.rows).toBe(2)
    const wide = await client.submit(aRequest({ choicesPerPrompt: 9, maxNewTokens: 40 }))
    const narrow = await client.submit(aRequest({ maxNewTokens: 1 }))
    const steps = engine.stepsDone
    await expect.poll(() => engine.stepsDone).toBeGreaterThan(steps + 50)
    // Two rows are free, so the narrow request would fit.
    const states = await Promise.all([long, wide, narrow].map(id => client.state(id)))
    expect(states).toEqual(['running', 'waiting', 'waiting'])
    await ended(narrow)
    expect((await client.log(wide)).length).toBeGreaterThan(20)
    await ended(wide)
    expect((await client.log(wide)).filter(({ event }) => event.kind === 'token')).toHaveLength(360)
    await leave()
  })

  it('frees the rows of a request that was ended from outside', async () => {
    const { client, keys, open, ended } = aQueue()
    const { engine, leave } = await open(1)
    const held = await client.submit(aRequest({ prompts: [{ tokenIds: [TRICKS.hold] }] }))
    await expect.poll(() => engine.rows).toBe(1)
    const next = await client.submit(aRequest())
    await endRequest(server.connect(), keys, held, { code: 'cancelled', message: 'the request was cancelled', param: null })
    await ended(next)
    expect((await client.log(held)).at(-1)?.event.kind).toBe('failed')
    await leave()
    await expect.poll(() => client.leftovers()).toEqual([])
  })

  it('ends requests whose lease or deadline has passed', async () => {
    const { client, open, ended } = aQueue()
    const { leave } = await open(4)
    const hold = () => aRequest({ prompts: [{ tokenIds: [TRICKS.hold] }] })
    const unread = await client.submit(hold(), Date.now() + 300)
    const late = hold()
    await client.submit({ ...late, delivery: { ...late.delivery, deadlineAtMs: Date.now() + 300 } })
    await ended(unread)
    await ended(late.id)
    const code = async (id: string) => {
      const event = (await client.log(id)).at(-1)?.event
      return event?.kind === 'failed' ? event.failure.code : event?.kind
    }
    expect([await code(unread), await code(late.id)]).toEqual(['cancelled', 'deadline_exceeded'])
    await leave()
    await expect.poll(() => client.leftovers()).toEqual([])
  })

  it('appends again the entries that Redis has lost, and none twice', async () => {
    const { client, keys, open, ended } = aQueue()
    const { leave } = await open(4, 10)
    const redis = server.connect()
    const id = await client.submit(aRequest({ maxNewTokens: 100 }))
    const hasBegun = (entries: number) => expect.poll(async () => (await client.log(id)).length).toBeGreaterThan(entries)
    await hasBegun(3)
    const names = [keys.request(id), keys.log(id)]
    const dump = "return {redis.call('DUMP', KEYS[1]), redis.call('DUMP', KEYS[2])}"
    const before = (await redis.callBuffer('EVAL', dump, 2, ...names)) as Buffer[]
    await hasBegun(20)
    // As after a failover to a replica that lagged.
    await redis.multi(names.map((name, at) => ['restore', name, 600_000, before[at] ?? '', 'REPLACE'])).exec()
    await ended(id)
    const log = await client.log(id)
    expect(log.map(({ ordinal }) => ordinal)).toEqual(Array.from({ length: 102 }, (_, index) => index + 1))
    expect(log.flatMap(({ event }) => (event.kind === 'token' ? event.position : []))).toEqual(Array.from({ length: 100 }, (_, p) => p))
    await leave()
    await expect.poll(() => client.leftovers()).toEqual([])
  })

  it('stops a request that is gone from Redis', async () => {
    const { client, keys, open, ended } = aQueue()
    const { engine, leave } = await open(4, 5)
    const id = await client.submit(aRequest({ maxNewTokens: 100_000 }))
    await expect.poll(() => engine.rows).toBe(1)
    await server.connect().del(keys.request(id), keys.log(id))
    await expect.poll(() => engine.rows, { timeout: 10_000 }).toBe(0)
    await ended(await client.submit(aRequest()))
    await leave()
    await expect.poll(() => client.leftovers()).toEqual([])
  })

  it('continues a request without interruption when it has lost only the lock', async () => {
    const { client, keys, open, ended } = aQueue()
    const { leave } = await open(4, 10)
    const redis = server.connect()
    const id = await client.submit(aRequest({ maxNewTokens: 300 }))
    await expect.poll(async () => (await client.log(id)).length).toBeGreaterThan(3)
    // As BullMQ's check for stalled jobs does when the worker could not renew its lock in time.
    await redis
      .multi()
      .del(keys.bull(`${id}:lock`))
      .lrem(keys.bull('active'), 0, id)
      .rpush(keys.bull('wait'), id)
      .exec()
    await expect.poll(() => redis.hget(keys.request(id), 'epoch')).toBe('2')
    await ended(id)
    const log = await client.log(id)
    expect(log.flatMap(({ event }) => (event.kind === 'token' ? event.position : []))).toEqual(Array.from({ length: 300 }, (_, p) => p))
    await leave()
    await expect.poll(() => client.leftovers()).toEqual([])
  })

  it('shares the load with other workers', async () => {
    const { client, open, ended } = aQueue()
    const workers = [await open(2, 5), await open(2, 5)]
    const ids = await Promise.all(Array.from({ length: 12 }, () => client.submit(aRequest({ maxNewTokens: 10 }))))
    for (const id of ids) await ended(id)
    for (const { engine } of workers) expect(engine.stepsDone).toBeGreaterThan(10)
    for (const { leave } of workers) await leave()
    await expect.poll(() => client.leftovers()).toEqual([])
  })

  it('refuses to start while another model is served', async () => {
    const { keys, open } = aQueue()
    await server.connect().set(keys.model, 'another', 'PX', 60_000)
    await expect(open(1)).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('another model is served') })
  })
})
