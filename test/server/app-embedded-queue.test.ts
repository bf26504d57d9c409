import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { afterEach, expect, it } from 'vitest'
import type { GenerationRequest } from '../../src/inference/contract/request.ts'
import { EmbeddedQueue } from '../../src/queue/embedded/embedded-queue.ts'
import { emitted, readSse } from '../routes/literal-parts.ts'
import { testApp } from './app-parts.ts'

let app: FastifyInstance | undefined
afterEach(async () => {
  await app?.close()
})

/** The app on the real embedded queue, with one worker with one row that a test controls. */
async function open() {
  const queue = new EmbeddedQueue()
  const started: GenerationRequest[] = []
  const calls = { started: Promise.withResolvers<GenerationRequest>(), cancelled: Promise.withResolvers<string>() }
  const handle = queue.join({
    slots: 1,
    start(request) {
      started.push(request)
      calls.started.resolve(request)
    },
    cancel: id => calls.cancelled.resolve(id)
  })
  const emit = (request: GenerationRequest, ...texts: readonly string[]) =>
    handle.emit({ kind: 'events', events: emitted(request, texts).map(event => ({ requestId: request.id, event })) })
  app = testApp({ queue })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/v1/completions`
  const ask = async (signal: AbortSignal | null = null) =>
    await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'tiny', prompt: 'hi', stream: true }),
      signal
    })
  return { started, calls, emit, ask }
}

it('streams through the embedded queue, and reports the position of a waiting request', async () => {
  const { started, calls, emit, ask } = await open()
  const first = await ask()
  const request = await calls.started.promise
  const second = await ask()
  emit(request, 'a', 'b')
  const [, next] = started
  if (next === undefined) throw new Error('the second request was not started when the first had ended')
  emit(next, 'c')
  const [firstBody, secondBody] = [await first.text(), await second.text()]
  expect(readSse(firstBody).map(event => event.id)).toEqual(['2', '3', '4'])
  expect(secondBody).toContain(': queued, position 1\n')
  expect(readSse(secondBody).at(-1)?.data).toBe('[DONE]')
})

it('frees the row of a worker when the client disconnects', async () => {
  const { calls, ask } = await open()
  const leaving = new AbortController()
  const response = await ask(leaving.signal)
  const request = await calls.started.promise
  leaving.abort()
  expect(await calls.cancelled.promise).toBe(request.id)
  expect(response.headers.get('x-stream-id')).toBe(request.id)
})
