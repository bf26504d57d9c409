import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { emitting, literalQueue } from '../../routes/literal-parts.ts'
import { readableLog, testApp } from '../app-parts.ts'
import { RawConnection, rawRequest } from '../raw-connection.ts'

/** More than one piece of JSON, so that Fastify sends the response from a stream. */
const LONG_TEXT = 'x'.repeat(200_000)
/** More than the kernel buffers for a client that does not read. */
const MANY_TEXTS = new Array<string>(100).fill(LONG_TEXT)
const BODY = '{"model":"tiny","prompt":"hi"}'
const COMPLETION = rawRequest('POST', '/v1/completions', [], BODY)

/** The app on a port, its log, and what it has counted. */
async function listen(script = emitting(LONG_TEXT)) {
  const { logger, line, lines } = readableLog()
  let requests = 0
  const readToEnd = Promise.withResolvers<void>()
  const clientLeft = Promise.withResolvers<void>()
  /** Emits the script, and waits for the client to leave before it ends. */
  const queue = literalQueue(async function* (request, signal) {
    yield* script(request, signal)
    readToEnd.resolve()
    await clientLeft.promise
  })
  const app = testApp({ logger, queue })
  app.addHook('onRequest', async ({ url }, reply) => {
    if (url === '/metrics') return
    requests++
    reply.raw.once('close', () => clientLeft.resolve())
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  onTestFinished(async () => await app.close())
  const counted = async () => {
    const { body } = await app.inject({ url: '/metrics' })
    return body.split('\n').filter(one => /^everstream_http_responses_total\{/.test(one))
  }
  const { port } = app.server.address() as AddressInfo
  return { port, line, lines, requests: () => requests, counted, readToEnd: readToEnd.promise, staysToTheEnd: () => clientLeft.resolve() }
}

type App = Awaited<ReturnType<typeof listen>>

/** Where a client leaves during a response that Fastify writes from a stream. */
const LEAVES = [
  {
    when: 'within the body of its request',
    run: async (app: App) => {
      const connection = new RawConnection(app.port).write(COMPLETION.slice(0, -5))
      await expect.poll(app.requests).toBe(1)
      connection.socket.resetAndDestroy()
    }
  },
  {
    when: 'before the first byte of its response',
    run: async (app: App) => {
      const connection = new RawConnection(app.port).write(COMPLETION)
      await app.readToEnd
      connection.socket.resetAndDestroy()
    }
  },
  {
    when: 'within its response',
    script: emitting(...MANY_TEXTS),
    run: async (app: App) => {
      app.staysToTheEnd()
      const connection = new RawConnection(app.port)
      connection.socket.pause()
      connection.write(COMPLETION)
      await once(connection.socket, 'readable')
      connection.socket.resetAndDestroy()
    }
  }
]

it.each(LEAVES)('neither logs a bug nor counts a server error when the client leaves $when', async ({ run, script }) => {
  const app = await listen(script)
  await run(app)
  expect(await app.line('request')).toMatchObject({ route: '/v1/completions', status: 499 })
  // Errors of the stream are reported in later turns of the event loop.
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
  expect(app.lines.filter(({ level }) => Number(level) >= 40)).toEqual([])
  const counts = await app.counted()
  expect(counts).toContain('everstream_http_responses_total{route="/v1/completions",status="499"} 1')
  expect(counts.filter(one => one.includes('status="5'))).toEqual([])
})
