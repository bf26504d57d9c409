import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PLAIN_DELIVERY } from '../../../../src/inference/contract/delivery-policy.ts'
import type { LogEntry } from '../../../../src/inference/contract/events.ts'
import type { GenerationRequest } from '../../../../src/inference/contract/request.ts'
import { claim, handBack } from '../../../../src/queue/redis/requests/claim.ts'
import { RequestStore } from '../../../../src/queue/redis/requests/request-store.ts'
import { aRequest } from '../../a-request.ts'
import { aToken } from '../../events.ts'
import { TRICKS } from '../../fake-engine.ts'
import { endOf, readAll, readUntil } from '../../read-all.ts'
import { RedisRig } from '../redis-rig.ts'
import { type RedisServer, startRedis } from '../redis-server.ts'
import { describeWithRedis } from '../with-redis.ts'

const held = [{ tokenIds: [TRICKS.hold] }]
const background = (request: GenerationRequest): GenerationRequest => ({ ...request, delivery: { ...PLAIN_DELIVERY, onDisconnect: 'run' } })

describeWithRedis('the queue in Redis', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  it('is one queue for all API processes: each reads, resumes and cancels requests that another has admitted', async () => {
    await using rig = await RedisRig.open(server)
    const other = await rig.openQueue()
    await rig.startWorker(2, 5)
    const request = aRequest({ maxNewTokens: 40 })
    await rig.queue.submit(request)
    const [here, there, resumed] = await Promise.all([
      readAll(rig.queue, request.id),
      readAll(other, request.id),
      readAll(other, request.id, 20)
    ])
    expect(there).toEqual(here)
    expect(resumed).toEqual(here.slice(20))
    const endless = aRequest({ prompts: held })
    await rig.queue.submit(endless)
    await readUntil(other, endless.id, 'token')
    await other.cancel(endless.id)
    expect(await endOf(rig.queue, endless.id)).toBe('cancelled')
  })

  it('leaves no key without an owner or a TTL', async () => {
    await using rig = await RedisRig.open(server, { retentionMs: 100, streamRetentionMs: 100 })
    const redis = server.connect()
    const worker = await rig.startWorker(2)
    const idempotency = { key: 'key', digest: 'digest' }
    const keyed = aRequest({ delivery: { ...PLAIN_DELIVERY, onDisconnect: 'grace', idempotency } })
    const overdue = aRequest({ prompts: held, delivery: { ...PLAIN_DELIVERY, deadlineAtMs: Date.now() + 300 } })
    const cancelled = aRequest({ prompts: held })
    const requests = [aRequest(), aRequest({ choicesPerPrompt: 5 }), background(aRequest()), keyed, overdue, cancelled]
    for (const request of requests) await rig.queue.submit(request)
    const ends = requests.map(({ id }) => endOf(rig.queue, id))
    await rig.queue.cancel(cancelled.id)
    await Promise.all(ends)
    await worker.kill()
    await rig.queue.close()
    const transient = /:(request|log|generation):/
    await expect.poll(async () => (await rig.keysLeft()).filter(key => transient.test(key)), { timeout: 10_000 }).toEqual([])
    // The rest are registries and names, which their owners renew.
    for (const key of await rig.keysLeft()) expect([key, (await redis.pttl(key)) > 0]).toEqual([key, true])
  })

  it('adds the missing job of a request whose API process died before it added one', async () => {
    await using rig = await RedisRig.open(server)
    const store = new RequestStore(server.connect(), rig.keys)
    const request = aRequest()
    const parameters = { waitingLimit: 10, waitingTokenLimit: 100, freeRows: 0, seenWaiting: 0, rows: 1, retentionMs: 60_000 }
    await store.admit(request, { ...parameters, leaseUntilMs: Date.now() + 60_000 })
    await rig.startWorker(1)
    expect(await endOf(rig.queue, request.id)).toBe('finished')
  })

  it('fails a request that was admitted when its job cannot be added', async () => {
    await using rig = await RedisRig.open(server)
    const redis = server.connect()
    // BullMQ's hash of the queue: BullMQ's scripts fail on it, and no other script uses it.
    const meta = rig.keys.bull('meta')
    await redis.set(meta, 'not a hash', 'PX', 60_000)
    const request = aRequest()
    await expect(rig.queue.submit(request)).rejects.toMatchObject({ code: 'unavailable' })
    await redis.del(meta)
    expect(await endOf(rig.queue, request.id)).toBe('unavailable')
    expect(await rig.queue.depth()).toEqual({ waiting: 0, running: 0 })
    expect(await redis.hlen(rig.keys.waiting)).toBe(0)
  })

  it.each([
    ['without a reader', { leaseUntilMs: 1, deadlineAtMs: null }, 'cancelled'],
    ['whose deadline has passed', { leaseUntilMs: 0, deadlineAtMs: 1 }, 'deadline_exceeded']
  ])('ends, without any worker, a request %s and without a job, since its API process died', async (_, parameters, end) => {
    await using dead = await RedisRig.open(server)
    await dead.queue.close()
    const store = new RequestStore(server.connect(), dead.keys)
    const request = aRequest({ delivery: { ...PLAIN_DELIVERY, deadlineAtMs: parameters.deadlineAtMs } })
    const { leaseUntilMs } = parameters
    await store.admit(request, {
      leaseUntilMs,
      waitingLimit: 10,
      waitingTokenLimit: 100,
      freeRows: 0,
      seenWaiting: 0,
      rows: 1,
      retentionMs: 60_000
    })
    const next = await dead.openQueue()
    await expect.poll(async () => (await store.statuses([request.id]))[0]?.state).toMatch(/cancelled|failed/)
    expect(await endOf(next, request.id)).toBe(end)
    expect(await next.depth()).toEqual({ waiting: 0, running: 0 })
  })

  it('spreads requests over shards', async () => {
    await using rig = await RedisRig.open(server, { shards: 3 })
    await rig.startWorker(4)
    const requests = Array.from({ length: 12 }, () => aRequest())
    for (const request of requests) await rig.queue.submit(request)
    expect(await Promise.all(requests.map(({ id }) => endOf(rig.queue, id)))).toEqual(requests.map(() => 'finished'))
    expect(await rig.queue.depth()).toEqual({ waiting: 0, running: 0 })
  })

  describe('when Redis has lost the end of a log', () => {
    /**
     * A request with five tokens, appended by a worker without an engine and read; then its log is cut to two entries.
     */
    async function cutLog(rig: RedisRig) {
      const redis = server.connect()
      const { keys } = rig
      const request = aRequest()
      await rig.queue.submit(request)
      const claimed = await claim(redis, keys, request.id, 'w')
      const events = Array.from({ length: 5 }, (_, position) => JSON.stringify(aToken(position)))
      const write = (first: number, some: readonly string[]) =>
        redis.streamAppend(keys.request(request.id), keys.log(request.id), claimed?.epoch ?? 0, 60_000, '', first, ...some)
      await write(1, events)
      const seen: LogEntry[] = []
      const leaving = new AbortController()
      const reading = (async () => {
        for await (const batch of rig.queue.events(request.id, 0, leaving.signal)) {
          for (const event of batch) if (event.ordinal !== null) seen.push(event)
        }
      })()
      reading.catch(() => {})
      await expect.poll(() => seen.length).toBe(5)
      const cut = redis.multi().del(keys.log(request.id)).hset(keys.request(request.id), 'last', 2)
      for (const [index, event] of events.slice(0, 2).entries()) cut.xadd(keys.log(request.id), `${index + 1}-0`, 'e', event)
      await cut.exec()
      await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      return { request, redis, keys, events, write, seen, leaving, reading }
    }

    it('emits no entry twice while the same worker writes it again, and then continues', async () => {
      await using rig = await RedisRig.open(server)
      const { events, write, seen, leaving, reading } = await cutLog(rig)
      await write(3, [...events.slice(2), JSON.stringify(aToken(5))])
      await expect.poll(() => seen.length).toBe(6)
      expect(seen.map(({ ordinal }) => ordinal)).toEqual([1, 2, 3, 4, 5, 6])
      leaving.abort()
      await reading
    })

    it('continues when another worker writes the same entries again', async () => {
      await using rig = await RedisRig.open(server)
      const { request, redis, keys, events, seen, leaving, reading } = await cutLog(rig)
      await handBack(redis, keys, request.id, 'w', true)
      const successor = await claim(redis, keys, request.id, 'v')
      const rewritten = [...events.slice(2), JSON.stringify(aToken(5))]
      await redis.streamAppend(keys.request(request.id), keys.log(request.id), successor?.epoch ?? 0, 60_000, '', 3, ...rewritten)
      await expect.poll(() => seen.length).toBe(6)
      expect(seen.map(({ event }) => event)).toEqual(Array.from({ length: 6 }, (_, position) => aToken(position)))
      leaving.abort()
      await reading
    })

    it('ends readers with `stream_lost` when other entries are written', async () => {
      await using rig = await RedisRig.open(server)
      const { write, seen, reading } = await cutLog(rig)
      await write(
        3,
        [7, 8, 9, 10].map(position => JSON.stringify(aToken(position)))
      )
      await expect(reading).rejects.toMatchObject({ code: 'stream_lost' })
      expect(seen.map(({ event }) => event)).toEqual(Array.from({ length: 5 }, (_, position) => aToken(position)))
    })
  })
})
