import { afterEach, expect, it } from 'vitest'
import { freePort } from '../../../load/free-port.ts'
import type { LogEntry } from '../../../src/inference/contract/events.ts'
import { aRequest } from '../a-request.ts'
import { TRICKS } from '../fake-engine.ts'
import { endOf, readAll, readUntil } from '../read-all.ts'
import { RedisRig } from './redis-rig.ts'
import { type RedisServer, startRedis } from './redis-server.ts'
import { startProxy } from './tcp-proxy.ts'
import { describeWithRedis } from './with-redis.ts'

const TOKENS = 60
const STEP_MS = 10
const held = [{ tokenIds: [TRICKS.hold] }]

const ends: AsyncDisposable[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end[Symbol.asyncDispose]()
})

async function aRig(persistence: 'none' | 'aof'): Promise<{ server: RedisServer; rig: RedisRig }> {
  const server = await startRedis(persistence)
  ends.push(server)
  const rig = await RedisRig.open(server)
  ends.push(rig)
  return { server, rig }
}

/** Starts requests with a reader each; resolves when every request has emitted a token. */
async function readSome(rig: RedisRig): Promise<Promise<LogEntry[]>[]> {
  const requests = Array.from({ length: 6 }, () => aRequest({ maxNewTokens: TOKENS }))
  for (const request of requests) await rig.queue.submit(request)
  const reads = requests.map(({ id }) => readAll(rig.queue, id))
  for (const read of reads) read.catch(() => {})
  for (const { id } of requests) await readUntil(rig.queue, id, 'token')
  return reads
}

function expectWhole(entries: readonly LogEntry[]): void {
  expect(entries.map(({ ordinal }) => ordinal)).toEqual(Array.from({ length: TOKENS + 2 }, (_, index) => index + 1))
  expect(entries.flatMap(({ event }) => (event.kind === 'token' ? event.position : []))).toEqual(
    Array.from({ length: TOKENS }, (_, at) => at)
  )
  expect(entries.at(-1)?.event.kind).toBe('finished')
}

/** Retries until Redis can be used again. */
async function expectToServe(rig: RedisRig): Promise<void> {
  await expect
    .poll(
      () =>
        rig.queue
          .submit(aRequest())
          .then(id => endOf(rig.queue, id))
          .catch(() => null),
      { timeout: 15_000 }
    )
    .toBe('finished')
}

describeWithRedis('an outage of Redis', () => {
  it('only delays readers when Redis restarts with its append-only file', async () => {
    const { server, rig } = await aRig('aof')
    await rig.startWorker(8, STEP_MS)
    const reads = await readSome(rig)
    for (let time = 0; time < 3; time++) {
      await server.kill()
      await expect(rig.queue.submit(aRequest())).rejects.toMatchObject({ code: 'unavailable' })
      await server.startAgain()
      await expect.poll(() => rig.queue.depth().catch(() => null), { timeout: 10_000 }).not.toBeNull()
    }
    for (const read of reads) expectWhole(await read)
    expect(await endOf(rig.queue, await rig.queue.submit(aRequest()))).toBe('finished')
  })

  it('ends readers with `stream_lost` when Redis restarts empty, and new requests are served', async () => {
    const { server, rig } = await aRig('none')
    await rig.startWorker(8, STEP_MS)
    const reads = await readSome(rig)
    await server.kill()
    await server.startAgain()
    for (const read of reads) await expect(read).rejects.toMatchObject({ code: 'stream_lost' })
    await expectToServe(rig)
  })

  it('rejects every call with `unavailable`', async () => {
    const { server, rig } = await aRig('none')
    await server.kill()
    const failure = { code: 'unavailable' }
    await expect(rig.queue.submit(aRequest())).rejects.toMatchObject(failure)
    await expect(readAll(rig.queue, 'some')).rejects.toMatchObject(failure)
    await expect(rig.queue.deliveryPolicy('some')).rejects.toMatchObject(failure)
    await expect(rig.queue.depth()).rejects.toMatchObject(failure)
    await server.startAgain()
  })

  it('delays a cancel, and does not lose it', async () => {
    const { server, rig } = await aRig('aof')
    await rig.startWorker(1, STEP_MS)
    const request = aRequest({ prompts: held })
    await rig.queue.submit(request)
    await readUntil(rig.queue, request.id, 'token')
    await server.kill()
    await rig.queue.cancel(request.id)
    await server.startAgain()
    await expect.poll(() => endOf(rig.queue, request.id).catch(() => null), { timeout: 15_000 }).toBe('cancelled')
  })
})

describeWithRedis('a connection to Redis', () => {
  it('that is closed repeatedly, with all others, only delays readers', async () => {
    const { server, rig } = await aRig('none')
    await rig.startWorker(8, STEP_MS)
    const reads = await readSome(rig)
    const admin = server.connect()
    for (let time = 0; time < 8; time++) {
      await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    for (const read of reads) expectWhole(await read)
  })

  it('whose server is a replica for a while is reopened until the server is a master', async () => {
    const { server, rig } = await aRig('none')
    await rig.startWorker(8, STEP_MS)
    const reads = await readSome(rig)
    const operator = server.connect()
    await operator.replicaof('127.0.0.1', await freePort())
    await expect(rig.queue.submit(aRequest())).rejects.toMatchObject({ code: 'unavailable' })
    await operator.replicaof('NO', 'ONE')
    for (const read of reads) expectWhole(await read)
    await expectToServe(rig)
  })

  it('that is slow, and closed in the middle of a reply, loses and repeats no entry', async () => {
    const { server, rig } = await aRig('none')
    await using proxy = await startProxy(server.port)
    await rig.startWorker(8, STEP_MS)
    const far = await rig.openQueue(`redis://127.0.0.1:${proxy.port}`)
    const requests = Array.from({ length: 6 }, () => aRequest({ maxNewTokens: TOKENS }))
    for (const request of requests) await rig.queue.submit(request)
    const reads = requests.map(({ id }) => readAll(far, id))
    for (const read of reads) read.catch(() => {})
    proxy.delayMs = 20
    for (const bytes of [1, 700, 33, 2500, 300, 90]) {
      proxy.cutAfter(bytes)
      await new Promise(resolve => setTimeout(resolve, 100))
    }
    proxy.delayMs = 0
    for (const read of reads) expectWhole(await read)
    await far.drain(AbortSignal.abort())
    await far.close()
  })
})
