import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, type ExpectStatic, it } from 'vitest'
import type { LogEntry } from '../../../src/inference/contract/events.ts'
import type { GenerationRequest } from '../../../src/inference/contract/request.ts'
import { shardKeys } from '../../../src/queue/redis/connection/keys.ts'
import { RedisPool } from '../../../src/server/workers/redis-pool.ts'
import type { RedisWorkerSettings } from '../../../src/server/workers/redis-worker-settings.ts'
import { Supervisor } from '../../../src/server/workers/supervisor.ts'
import { freeze } from '../../processes/owned-process.ts'
import type { FakeWorkerOptions } from '../../server/workers/start-workers.ts'
import { aRequest } from '../a-request.ts'
import { TRICKS } from '../fake-engine.ts'
import { TestClient } from './enqueue.ts'
import { type RedisServer, startRedis } from './redis-server.ts'
import { describeWithRedis } from './with-redis.ts'

let server: RedisServer

const LONG_MS = 25_000
const silent = { info: () => {}, warn: () => {}, error: () => {} }

/** A queue for one test; a group is a supervisor with its worker processes around fake engines. */
function aQueue(expect: ExpectStatic, redis: RedisServer = server) {
  const endpoint = { url: redis.url, prefix: `test-${randomUUID()}`, shards: 1 }
  const [keys] = shardKeys(endpoint)
  if (keys === undefined) throw new Error('no shard')
  const client = new TestClient(redis.connect(), keys)
  const groups: { stop(): Promise<void> }[] = []
  const settings: Omit<RedisWorkerSettings, 'workerId'> = {
    endpoint,
    drainMs: 200,
    stepTimeoutMs: 60_000,
    logLevel: 'silent'
  }

  async function open(worker: Partial<FakeWorkerOptions> = {}, workers = 1) {
    const argument: FakeWorkerOptions = { slots: 4, stepMs: 10, heartbeatMs: 50, loading: 'works', ...worker }
    const pool = new RedisPool(settings, silent)
    const supervisor = new Supervisor({
      workers,
      spareWorkers: 0,
      cacheFiles: [],
      entry: new URL('../../server/workers/fake-worker.ts', import.meta.url),
      argument: JSON.stringify(argument),
      pool,
      log: silent,
      loadTimeoutMs: 20_000,
      stepTimeoutMs: 60_000,
      backoff: { firstMs: 1, maxMs: 10, healthyMs: 30_000 }
    })
    supervisor.start()
    const group = {
      supervisor,
      pids: () => supervisor.workers.map(({ pid }) => pid ?? 0),
      async stop() {
        const deadline = new AbortController()
        const timer = setTimeout(() => deadline.abort(), 3000)
        await supervisor.stop(deadline.signal, settings.drainMs)
        clearTimeout(timer)
        await pool.close()
      }
    }
    groups.push(group)
    await expect.poll(() => client.workers(), { timeout: LONG_MS }).toBeGreaterThanOrEqual(workers)
    return group
  }

  return {
    client,
    open,
    ended: (requestId: string) =>
      expect.poll(() => client.state(requestId), { timeout: LONG_MS, interval: 20 }).toMatch(/finished|failed|cancelled/),
    hasBegun: (requestId: string, entries = 5) =>
      expect.poll(async () => (await client.log(requestId)).length, { timeout: LONG_MS, interval: 10 }).toBeGreaterThan(entries),
    async [Symbol.asyncDispose]() {
      for (const group of groups) await group.stop()
      await client.close()
    }
  }
}

/** The events of the fake engine for a request that nothing disturbs, without timings. */
function undisturbed({ choicesPerPrompt, maxNewTokens }: GenerationRequest): unknown[] {
  const steps = Array.from({ length: maxNewTokens }, (_, position) =>
    Array.from({ length: choicesPerPrompt }, (_, choice) => ['token', choice, position, `${choice}.${position} `])
  )
  return [['started'], ...steps.flat(), ['finished', choicesPerPrompt * maxNewTokens]].map((event, index) => [index + 1, ...event])
}

function received(log: readonly LogEntry[]): unknown[] {
  return log.map(({ ordinal, event }) => {
    if (event.kind === 'token') return [ordinal, event.kind, event.choice, event.position, event.text]
    if (event.kind === 'finished') return [ordinal, event.kind, event.usage.completionTokens]
    return [ordinal, event.kind]
  })
}

/** In parallel: most of their time is spent waiting for locks to expire. */
describeWithRedis(
  'worker processes of a queue in Redis',
  () => {
    beforeAll(async () => {
      server = await startRedis('aof')
    })
    afterAll(() => server[Symbol.asyncDispose]())

    it('that are killed during a stream only delay it: the log is that of an undisturbed run', async ({ expect }) => {
      await using queue = aQueue(expect)
      const group = await queue.open()
      const requests = [aRequest({ maxNewTokens: 150, choicesPerPrompt: 2 }), aRequest({ maxNewTokens: 120 })]
      for (const request of requests) await queue.client.submit(request)
      for (const request of requests) await queue.hasBegun(request.id)
      process.kill(group.pids()[0] ?? 0, 'SIGKILL')
      for (const request of requests) {
        await queue.ended(request.id)
        expect(received(await queue.client.log(request.id))).toEqual(undisturbed(request))
      }
      await group.stop()
      await expect.poll(() => queue.client.leftovers()).toEqual([])
    })

    it('that were frozen for longer than their locks append nothing more, and stop computing', async ({ expect }) => {
      await using queue = aQueue(expect)
      const frozen = await queue.open()
      const request = aRequest({ maxNewTokens: 400 })
      await queue.client.submit(request)
      await queue.hasBegun(request.id)
      const [pid = 0] = frozen.pids()
      freeze(pid)
      const others = await queue.open()
      const length = (await queue.client.log(request.id)).length
      await queue.hasBegun(request.id, length)
      process.kill(pid, 'SIGCONT')
      await queue.ended(request.id)
      expect(received(await queue.client.log(request.id))).toEqual(undisturbed(request))
      // It serves again: the other workers have ended, so that it gets the next request.
      await others.stop()
      const next = aRequest()
      await queue.client.submit(next)
      await queue.ended(next.id)
      expect(frozen.pids()).toEqual([pid])
      await frozen.stop()
      await expect.poll(() => queue.client.leftovers()).toEqual([])
    })

    it('whose death no supervisor reports are replaced within seconds', async ({ expect }) => {
      await using queue = aQueue(expect)
      const orphans = await queue.open()
      const request = aRequest({ maxNewTokens: 400 })
      await queue.client.submit(request)
      await queue.hasBegun(request.id)
      // As if their supervisor had been killed with them: it hands nothing back.
      for (const pid of orphans.pids()) freeze(pid)
      const others = await queue.open()
      const length = (await queue.client.log(request.id)).length
      await expect.poll(async () => (await queue.client.log(request.id)).length, { timeout: 15_000, interval: 20 }).toBeGreaterThan(length)
      await queue.ended(request.id)
      expect(received(await queue.client.log(request.id))).toEqual(undisturbed(request))
      for (const pid of orphans.pids()) process.kill(pid, 'SIGKILL')
      await others.stop()
    })

    it('append the entries again that Redis did not receive while it was away', async ({ expect }) => {
      await using own = await startRedis('aof')
      await using queue = aQueue(expect, own)
      const group = await queue.open({ stepMs: 20 })
      const request = aRequest({ maxNewTokens: 300 })
      await queue.client.submit(request)
      await queue.hasBegun(request.id)
      await own.kill()
      await own.startAgain()
      await queue.ended(request.id)
      expect(received(await queue.client.log(request.id))).toEqual(undisturbed(request))
      const next = aRequest()
      await queue.client.submit(next)
      await queue.ended(next.id)
      await group.stop()
      await expect.poll(() => queue.client.leftovers()).toEqual([])
    })

    it('are not killed without end by a request: it fails, and no other request does', async ({ expect }) => {
      await using queue = aQueue(expect)
      const group = await queue.open({}, 2)
      const good = Array.from({ length: 6 }, () => aRequest({ maxNewTokens: 40 }))
      const bad = aRequest({ prompts: [{ tokenIds: [TRICKS.crash] }] })
      for (const request of [...good.slice(0, 3), bad, ...good.slice(3)]) await queue.client.submit(request)
      await queue.ended(bad.id)
      expect((await queue.client.log(bad.id)).at(-1)?.event).toMatchObject({ kind: 'failed', failure: { code: 'poisoned' } })
      for (const request of good) {
        await queue.ended(request.id)
        expect(received(await queue.client.log(request.id))).toEqual(undisturbed(request))
      }
      await group.stop()
      await expect.poll(() => queue.client.leftovers()).toEqual([])
    })

    it('that end with their server do not count as deaths of the requests that they ran', async ({ expect }) => {
      await using queue = aQueue(expect)
      const [dismissed, killed] = [aRequest({ maxNewTokens: 200 }), aRequest({ maxNewTokens: 200 })]
      const group = await queue.open()
      await queue.client.submit(dismissed)
      await queue.hasBegun(dismissed.id)
      await group.supervisor.stop(AbortSignal.abort())
      await expect.poll(() => queue.client.state(dismissed.id)).toBe('waiting')
      expect(await queue.client.diedAt(dismissed.id)).toBeNull()
      const next = await queue.open()
      await queue.ended(dismissed.id)
      await queue.client.submit(killed)
      await queue.hasBegun(killed.id)
      process.kill(next.pids()[0] ?? 0, 'SIGKILL')
      await queue.ended(killed.id)
      expect(await queue.client.diedAt(killed.id)).not.toBeNull()
      await next.stop()
    })

    it('that drain hand back the requests that do not end in time, and exit', async ({ expect }) => {
      await using queue = aQueue(expect)
      const first = await queue.open()
      const request = aRequest({ maxNewTokens: 200 })
      await queue.client.submit(request)
      await queue.hasBegun(request.id)
      await first.stop()
      expect(await queue.client.state(request.id)).toBe('waiting')
      const second = await queue.open()
      await queue.ended(request.id)
      expect(received(await queue.client.log(request.id))).toEqual(undisturbed(request))
      await second.stop()
      await expect.poll(() => queue.client.leftovers()).toEqual([])
    })
  },
  { concurrent: true, timeout: 120_000 }
)
