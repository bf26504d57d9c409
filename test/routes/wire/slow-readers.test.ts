import { once } from 'node:events'
import { type Duplex, duplexPair } from 'node:stream'
import { type FastifyInstance, type FastifyReply, fastify } from 'fastify'
import { expect, it, onTestFinished } from 'vitest'
import type { LoggedEvent } from '../../../src/inference/contract/events.ts'
import { completionApi } from '../../../src/routes/completions/api.ts'
import { generationRoute } from '../../../src/routes/wire/request/generation-route.ts'
import { literalQueue, routeOptions } from '../literal-parts.ts'

const TEXT_BYTES = 100_000
const EVENT: LoggedEvent = { kind: 'token', choice: 0, position: 0, tokenId: 1, text: 'x'.repeat(TEXT_BYTES), score: null, end: null }
const PAYLOAD = JSON.stringify({ model: 'tiny', prompt: 'hi', stream: true })

interface TestApp {
  readonly app: FastifyInstance
  readonly replies: FastifyReply[]
  readonly cancelled: readonly string[]
  /** Maximum number of bytes that were buffered for one client. */
  readonly mostBuffered: () => number
  /** Resolves once this many requests were cancelled. */
  readonly untilCancelled: (count: number) => Promise<void>
}

/** The route with a queue that emits `texts` tokens per request, or endlessly many. */
async function openTestApp(stallMs: number, texts = Number.POSITIVE_INFINITY): Promise<TestApp> {
  const replies: FastifyReply[] = []
  let most = 0
  let wake = () => {}
  const queue = literalQueue(async function* () {
    for (let ordinal = 1; ordinal <= texts; ordinal++) {
      for (const { raw } of replies) most = Math.max(most, raw.writableLength)
      yield [{ ordinal, event: EVENT }]
      await new Promise(setImmediate)
    }
    yield [{ ordinal: texts + 1, event: { kind: 'failed', failure: { code: 'cancelled', message: 'enough', param: null } } }]
  })
  const cancel = queue.cancel
  queue.cancel = async id => {
    await cancel(id)
    wake()
  }
  const app = fastify()
  app.addHook('onRequest', async (_request, reply) => void replies.push(reply))
  await app.register(generationRoute(completionApi), routeOptions(queue, { timeouts: { stallMs } }))
  await app.ready()
  onTestFinished(() => app.close())
  return {
    app,
    replies,
    cancelled: queue.cancelled,
    mostBuffered: () => replies.reduce((sum, { raw }) => Math.max(sum, raw.writableLength), most),
    async untilCancelled(count) {
      while (queue.cancelled.length < count) {
        await new Promise<void>(resolve => {
          wake = resolve
        })
      }
    }
  }
}

/** A connection without kernel buffers, whose client has sent a request and reads nothing. */
function ask(app: FastifyInstance): Duplex {
  const [client, server] = duplexPair()
  app.server.emit('connection', server)
  const head = `POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${PAYLOAD.length}\r\n\r\n`
  client.write(head + PAYLOAD)
  client.on('error', () => {})
  return client
}

/** A text as an event, the other content of a stream, and the first block that does not fit. */
const BOUND = 3 * TEXT_BYTES

it('bounds the buffers of 200 streams whose clients read nothing, and disconnects each', async () => {
  const testApp = await openTestApp(300)
  for (let count = 0; count < 200; count++) ask(testApp.app)
  await testApp.untilCancelled(200)
  expect(new Set(testApp.cancelled).size).toBe(200)
  expect(testApp.mostBuffered()).toBeGreaterThan(0)
  expect(testApp.mostBuffered()).toBeLessThan(BOUND)
})

it('waits for a client that reads late, and loses no event', async () => {
  const testApp = await openTestApp(60_000, 20)
  const client = ask(testApp.app)
  while (testApp.replies[0]?.raw.writableNeedDrain !== true) await new Promise(setImmediate)
  let read = ''
  client.on('data', data => {
    read += String(data)
  })
  client.resume()
  while (!read.includes('enough')) await once(client, 'data')
  expect(read.match(/x{1000}/g)).toHaveLength(20 * (TEXT_BYTES / 1000))
  expect(testApp.mostBuffered()).toBeLessThan(BOUND)
  client.destroy()
})
