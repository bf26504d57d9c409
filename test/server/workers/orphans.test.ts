import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { expect, it, onTestFinished } from 'vitest'
import { shardKeys } from '../../../src/queue/redis/connection/keys.ts'
import { owned } from '../../processes/owned-process.ts'
import { aRequest } from '../../queue/a-request.ts'
import { TRICKS } from '../../queue/fake-engine.ts'
import { TestClient } from '../../queue/redis/enqueue.ts'
import { startRedis } from '../../queue/redis/redis-server.ts'
import { describeWithRedis } from '../../queue/redis/with-redis.ts'
import type { OrphaningOptions } from './orphaning-parent.ts'
import { isAlive } from './start-workers.ts'

const LONG_MS = 25_000

/** Workers whose parent can be killed. */
async function startFamily(options: OrphaningOptions) {
  const parent = owned(
    fork(new URL('./orphaning-parent.ts', import.meta.url), [JSON.stringify(options)], {
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc']
    })
  )
  const [pids] = (await once(parent, 'message')) as [number[]]
  onTestFinished(() => {
    parent.kill('SIGKILL')
    for (const pid of pids.filter(isAlive)) process.kill(pid, 'SIGKILL')
  })
  expect(pids.map(isAlive)).toEqual([true, true])
  return { parent, pids, areGone: (timeout: number) => expect.poll(() => pids.map(isAlive), { timeout }).toEqual([false, false]) }
}

it('end when their parent is killed', async () => {
  const { parent, areGone } = await startFamily({ worker: {}, redis: null })
  parent.kill('SIGKILL')
  await areGone(1000)
})

describeWithRedis('orphaned workers of a queue in Redis', () => {
  /** A request that only ends when it is cancelled runs at one of two workers. */
  async function startRunning(drainMs: number, loading: 'works' | 'works in a native call') {
    const redis = await startRedis()
    const endpoint = { url: redis.url, prefix: `test-${randomUUID()}`, shards: 1 }
    const [keys] = shardKeys(endpoint)
    if (keys === undefined) throw new Error('no shard')
    const client = new TestClient(redis.connect(), keys)
    const family = await startFamily({ worker: { loading }, redis: { endpoint, drainMs, stepTimeoutMs: 600_000, logLevel: 'silent' } })
    await expect.poll(() => client.workers(), { timeout: LONG_MS }).toBe(2)
    const request = aRequest({ prompts: [{ tokenIds: [TRICKS.hold] }] })
    await client.submit(request)
    await expect.poll(async () => (await client.log(request.id)).length, { timeout: LONG_MS }).toBe(2)
    return {
      ...family,
      redis,
      state: () => client.state(request.id),
      async [Symbol.asyncDispose]() {
        await redis[Symbol.asyncDispose]()
      }
    }
  }

  it('hand back what they run and end, whatever native call is in flight', async () => {
    await using family = await startRunning(100, 'works in a native call')
    family.parent.kill('SIGKILL')
    await family.areGone(3000)
    expect(await family.state()).toBe('waiting')
  }, 60_000)

  it('end although Redis is away', async () => {
    await using family = await startRunning(100, 'works in a native call')
    await family.redis.kill()
    family.parent.kill('SIGKILL')
    await family.areGone(6000)
  }, 60_000)

  it('end although they have never reached Redis', async () => {
    const endpoint = { url: 'redis://127.0.0.1:1', prefix: 'test', shards: 1 }
    const settings = { endpoint, drainMs: 100, stepTimeoutMs: 600_000, logLevel: 'silent' } as const
    const { parent, areGone } = await startFamily({ worker: {}, redis: settings })
    parent.kill('SIGKILL')
    await areGone(6000)
  }, 60_000)

  it('hand back and end at SIGTERM, however long they may drain', async () => {
    await using family = await startRunning(600_000, 'works')
    family.parent.kill('SIGKILL')
    await once(family.parent, 'exit')
    // The worker without a request ends by itself; the other one lets its request run on.
    await expect.poll(() => family.pids.filter(isAlive).length, { timeout: 5000 }).toBe(1)
    expect(await family.state()).toBe('running')
    for (const pid of family.pids.filter(isAlive)) process.kill(pid, 'SIGTERM')
    await family.areGone(3000)
    expect(await family.state()).toBe('waiting')
  }, 60_000)
})
