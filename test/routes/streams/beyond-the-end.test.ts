import { expect, it, onTestFinished, vi } from 'vitest'
import { EmbeddedQueue } from '../../../src/queue/embedded/embedded-queue.ts'
import type { GenerationQueue } from '../../../src/queue/queue.ts'
import { toStored } from '../../../src/routes/wire/dialect.ts'
import { aRequest } from '../../queue/a-request.ts'
import { joinInProcess } from '../../queue/embedded/in-process-worker.ts'
import { TRICKS } from '../../queue/fake-engine.ts'
import { readUntil } from '../../queue/read-all.ts'
import { RedisRig } from '../../queue/redis/redis-rig.ts'
import { type RedisServer, startRedis } from '../../queue/redis/redis-server.ts'
import { testApp } from '../../server/app-parts.ts'
import { VIEW } from '../completions/story.ts'
import { openTestApp } from '../socket/a-socket.ts'

/** A request that has emitted `started` and one token, and pauses. */
async function holding(queue: GenerationQueue): Promise<string> {
  const request = aRequest({ prompts: [{ tokenIds: [TRICKS.hold] }] })
  const presentation = toStored({ dialect: 'completions', view: { ...VIEW, id: request.id } })
  await queue.submit({ ...request, delivery: { ...request.delivery, owner: '', onDisconnect: 'run', presentation } })
  await readUntil(queue, request.id, 'token')
  return request.id
}

async function embedded(): Promise<GenerationQueue> {
  const queue = new EmbeddedQueue()
  const worker = joinInProcess(queue, 4)
  onTestFinished(async () => {
    await queue.drain(AbortSignal.abort())
    await worker.kill()
  })
  return queue
}

async function inRedis(persistence: 'none' | 'aof' = 'none'): Promise<{ server: RedisServer; rig: RedisRig }> {
  const server = await startRedis(persistence)
  onTestFinished(() => server[Symbol.asyncDispose]())
  const rig = await RedisRig.open(server)
  onTestFinished(() => rig[Symbol.asyncDispose]())
  await rig.startWorker(4)
  return { server, rig }
}

function appOn(queue: GenerationQueue) {
  const app = testApp({ queue })
  onTestFinished(() => app.close())
  return app
}

it.each([
  ['embedded', embedded],
  ['in Redis', async () => (await inRedis()).rig.queue]
])('refuses an ordinal that a running stream has not reached, and names field, bound and value: %s', async (_name, open) => {
  const queue = await open()
  const id = await holding(queue)
  const app = appOn(queue)
  const get = async (query: string, headers = {}) => await app.inject({ method: 'GET', url: `/v1/streams/${id}${query}`, headers })
  for (const [response, field] of [
    [await get('?starting_after=3'), 'starting_after'],
    [await get('', { 'last-event-id': '3' }), 'Last-Event-ID']
  ] as const) {
    expect(response.statusCode).toBe(400)
    expect(response.json().error).toMatchObject({ type: 'invalid_request_error', param: field })
    expect(response.json().error.message).toMatch(new RegExp(`'${field}'.*from 0 to 2, but got 3`))
  }
  await queue.cancel(id)
  await vi.waitFor(async () => expect((await queue.snapshot(id)).last).toBe(3))
  expect((await get('?starting_after=9')).statusCode).toBe(204)
})

it('asks readers to retry while events that Redis lost may be restored', async () => {
  const { server, rig } = await inRedis('aof')
  const { queue } = rig
  const id = await holding(queue)
  await server.kill()
  await expect(queue.snapshot(id)).rejects.toMatchObject({ code: 'unavailable' })
  await server.startAgain()
  await vi.waitFor(async () => expect((await queue.snapshot(id)).last).toBe(2), { timeout: 10_000 })
  const response = await appOn(queue).inject({ method: 'GET', url: `/v1/streams/${id}?starting_after=3` })
  expect(response.statusCode).toBe(503)
  expect(response.headers['retry-after']).toBe('2')
})

it('sends the same error on a WebSocket, which stays open', async () => {
  await using testApp = await openTestApp()
  const id = await holding(testApp.queue)
  const client = await testApp.connect()
  client.send({ type: 'resume', id: 'far', stream_id: id, after: 3 })
  const { error } = await client.until(message => message['type'] === 'error')
  expect(error).toMatchObject({ param: 'after', message: expect.stringMatching(/'after'.*from 0 to 2, but got 3/) })
  client.send({ type: 'resume', id: 'near', stream_id: id, after: 1 })
  expect(await client.until(message => message['type'] === 'chunk')).toMatchObject({ id: 'near', seq: 2 })
  await testApp.queue.cancel(id)
})
