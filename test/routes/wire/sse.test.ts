import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { type FastifyInstance, fastify } from 'fastify'
import { afterEach, expect, it } from 'vitest'
import { clientGone } from '../../../src/routes/wire/request/client-gone.ts'
import { type SseOptions, sendSse, sseComment, sseEvent } from '../../../src/routes/wire/stream/sse.ts'

let app: FastifyInstance | undefined
afterEach(async () => {
  await app?.close()
})

interface Opened {
  readonly socket: Socket
  /** Settles when the server has finished the stream. */
  readonly sent: Promise<void>
  readonly gone: AbortSignal
}

/** A client that has requested `blocks` over a real, paused socket: it reads only when a test reads. */
async function open(blocks: AsyncIterable<string>, changes: Partial<SseOptions> = {}): Promise<Opened> {
  const served = Promise.withResolvers<{ sent: Promise<void>; gone: AbortSignal }>()
  app = fastify({ forceCloseConnections: true })
  app.get('/', async (_request, reply) => {
    const gone = clientGone(reply)
    const sent = sendSse(reply, blocks, { gone, onError: error => sseEvent(String(error)), ...changes })
    served.resolve({ sent, gone })
    await sent
    return reply
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')
  return { socket, ...(await served.promise) }
}

async function readUntil(socket: Socket, text: string): Promise<string> {
  let read = ''
  for await (const data of socket.iterator({ destroyOnReturn: false })) {
    read += String(data)
    if (read.includes(text)) return read
  }
  return read
}

it('sends headers and a first byte before the first event, and keeps the connection alive', async () => {
  const gate = Promise.withResolvers<void>()
  const { socket } = await open(
    (async function* () {
      await gate.promise
      yield sseEvent('late')
    })(),
    { keepAliveMs: 1 }
  )
  const early = await readUntil(socket, ': keep-alive')
  expect(early).toMatch(/^HTTP\/1\.1 200/)
  expect(early.toLowerCase()).toContain('cache-control: no-cache, no-transform')
  expect(early).not.toContain('late')
  gate.resolve()
  expect(await readUntil(socket, 'late')).toContain('data: late')
})

it('has blank lines only after events with data, because clients cannot parse an event without data', async () => {
  const gate = Promise.withResolvers<void>()
  const { socket } = await open(
    (async function* () {
      yield sseComment('queued') + sseEvent('one', 1)
      await gate.promise
      yield sseEvent('two', 2)
    })(),
    { keepAliveMs: 1 }
  )
  const early = await readUntil(socket, ': keep-alive')
  gate.resolve()
  const [, ...lines] = (early + (await readUntil(socket, 'data: two\n\n')))
    .split('\r\n\r\n')
    .join('\n')
    .split(/^retry/m)
  const blocks = lines
    .join('')
    .replace(/^[0-9a-f]+\r\n|\r\n$/gm, '')
    .split('\n\n')
    .slice(0, -1)
  expect(blocks).toHaveLength(2)
  for (const block of blocks) expect(block).toMatch(/^data: /m)
})

it('requests no more blocks while the client reads nothing, and continues when it does', async () => {
  const block = sseEvent('x'.repeat(1 << 20))
  let pulled = 0
  const { socket, sent } = await open(
    (async function* () {
      for (; pulled < 64; pulled++) yield block
    })()
  )
  socket.pause()
  const stopped = await settled(() => pulled)
  expect(stopped).toBeLessThan(64)
  socket.resume()
  await sent
  expect(pulled).toBe(64)
})

it('disconnects a client that reads nothing for too long', async () => {
  const block = sseEvent('x'.repeat(1 << 20))
  const { socket, sent, gone } = await open(
    (async function* () {
      for (;;) yield block
    })(),
    { stallMs: 1 }
  )
  socket.pause()
  await sent
  expect(gone.aborted).toBe(true)
})

it('closes its source when the client disconnects', async () => {
  const closed = Promise.withResolvers<void>()
  const { socket, sent, gone } = await open(
    (async function* () {
      try {
        for (;;) {
          yield sseEvent('tick')
          await new Promise(setImmediate)
        }
      } finally {
        closed.resolve()
      }
    })()
  )
  await readUntil(socket, 'tick')
  socket.destroy()
  await closed.promise
  await sent
  expect(gone.reason).toMatchObject({ code: 'cancelled' })
})

it('ends with the text of onError when its source throws', async () => {
  const { socket } = await open(
    (async function* () {
      yield sseEvent('one')
      throw new Error('broken')
    })()
  )
  const ended = once(socket, 'end')
  const read = await readUntil(socket, 'broken')
  socket.resume()
  await ended
  expect(read.indexOf('data: one')).toBeLessThan(read.indexOf('data: Error: broken'))
})

/** The value once it has stayed the same over many turns of the event loop. */
async function settled(value: () => number): Promise<number> {
  for (let last = value(), turns = 0; ; turns++) {
    await new Promise(setImmediate)
    if (value() !== last) {
      last = value()
      turns = 0
    }
    if (turns > 1000) return last
  }
}
