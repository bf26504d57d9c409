import { type FastifyInstance, type FastifyPluginAsync, fastify } from 'fastify'
import { expect, it, onTestFinished, vi } from 'vitest'
import type { WebSocket } from 'ws'
import { PLAIN_DELIVERY } from '../../../src/inference/contract/delivery-policy.ts'
import type { LogEntry } from '../../../src/inference/contract/events.ts'
import { completionApi } from '../../../src/routes/completions/api.ts'
import { type SocketRouteOptions, socketRoute } from '../../../src/routes/socket/route.ts'
import { toStored } from '../../../src/routes/wire/dialect.ts'
import type { GenerationApi } from '../../../src/routes/wire/generation-api.ts'
import { aRequest } from '../../queue/a-request.ts'
import { CARD, finished, TEXT } from '../literal-parts.ts'
import type { Message } from './a-socket.ts'

const TEXT_BYTES = 50_000
const WRITER_LIMITS = { highWaterBytes: 120_000, stallMs: 20 }
/** A frame is sent if there is room before it, so one text may exceed the mark; plus the short frames around it. */
const BOUND = WRITER_LIMITS.highWaterBytes + TEXT_BYTES + 1000
/** `started` and `parked` of one request. */
const SHORT_BYTES = 250

/** An API whose chunks contain the texts and nothing else. */
const api: GenerationApi = {
  ...completionApi,
  name: 'texts',
  admit: async () => aRequest(),
  toView: () => ({}),
  presenter: () => ({
    chunks: event => (event.kind === 'token' ? [{ text: event.text }] : []),
    open: () => ({ push() {}, toResponse: () => ({}) })
  })
}

const theEnd = finished({ promptTokens: 1, completionTokens: 1, cachedTokens: 0 })

/** A finished log with `texts` tokens. */
function logOf(texts: number): LogEntry[] {
  const entries = Array.from({ length: texts }, (_, position): LogEntry => {
    const text = `${position} `.padEnd(TEXT_BYTES, 'x')
    return { ordinal: position + 1, event: { kind: 'token', choice: 0, position, tokenId: 1, text, score: null, end: null } }
  })
  return [...entries, { ordinal: texts + 1, event: theEnd }]
}

async function openTestApp(texts: number, stallMs = WRITER_LIMITS.stallMs, highWaterBytes = WRITER_LIMITS.highWaterBytes) {
  const entries = logOf(texts)
  const delivery = { ...PLAIN_DELIVERY, owner: 'caller', presentation: toStored({ dialect: api.name, view: {} }) }
  const left: number[] = []
  const app: FastifyInstance = fastify()
  const options: SocketRouteOptions = {
    queue: {
      submit: async ({ id }) => id,
      deliveryPolicy: async () => delivery,
      snapshot: async () => ({ delivery, queued: null, last: entries.length, end: theEnd }),
      entries: async (_id, afterOrdinal) => entries.slice(afterOrdinal),
      async *events(_id, afterOrdinal) {
        try {
          yield entries.slice(afterOrdinal)
        } finally {
          left.push(afterOrdinal)
        }
      },
      cancel: async () => {}
    },
    apis: [api],
    text: TEXT,
    card: CARD,
    strictParams: false,
    warn: () => {},
    isDraining: () => false,
    clock: () => 0,
    callerOf: () => 'caller',
    leaving: new AbortController().signal,
    writer: { highWaterBytes, stallMs }
  }
  let inner = app
  const route: FastifyPluginAsync = async child => {
    inner = child
    await socketRoute(child, options)
  }
  await app.register(route)
  await app.ready()
  onTestFinished(async () => {
    for (const socket of inner.websocketServer.clients) socket.terminate()
    await app.close()
  })
  return { app: inner, left }
}

/** A client on a connection without kernel buffers, and the messages that it has received. */
async function connect(app: FastifyInstance): Promise<{ socket: WebSocket; messages: Message[] }> {
  const messages: Message[] = []
  const socket = await app.injectWS('/v1/completions')
  socket.on('message', data => void messages.push(JSON.parse(String(data)) as Message))
  socket.on('error', () => {})
  return { socket, messages }
}

const create = JSON.stringify({ type: 'completion.create', id: 'a', body: { background: true } })

function buffered(app: FastifyInstance): number[] {
  return [...app.websocketServer.clients].map(({ bufferedAmount }) => bufferedAmount)
}

it('parks a request whose client does not read, and continues exactly there when it is resumed', async () => {
  const { app, left } = await openTestApp(12)
  const { socket, messages } = await connect(app)
  socket.pause()
  socket.send(create)
  await vi.waitFor(() => expect(left).toEqual([0]))
  expect(buffered(app).every(bytes => bytes > WRITER_LIMITS.highWaterBytes && bytes < BOUND)).toBe(true)

  socket.resume()
  for (let resumed = 0; messages.at(-1)?.['type'] !== 'done'; ) {
    await vi.waitFor(() => expect(['parked', 'done']).toContain(messages.at(-1)?.['type']))
    const last = messages.at(-1)
    if (last?.['type'] !== 'parked') break
    expect(last['after']).toBe(messages.filter(({ type }) => type === 'chunk').length)
    messages.push({ type: 'resumed' })
    socket.send(JSON.stringify({ type: 'resume', id: `again ${++resumed}`, stream_id: last['stream_id'], after: last['after'] }))
  }
  expect(messages.filter(({ type }) => type === 'parked').length).toBeGreaterThan(0)
  expect(messages.flatMap(({ type, seq }) => (type === 'chunk' ? [seq] : []))).toEqual(Array.from({ length: 12 }, (_, i) => i + 1))
})

it('bounds the buffer of a client with many requests that reads nothing', async () => {
  const { app, left } = await openTestApp(5)
  const { socket } = await connect(app)
  socket.pause()
  for (let id = 0; id < 64; id++) socket.send(JSON.stringify({ type: 'completion.create', id: `${id}`, body: { background: true } }))
  await vi.waitFor(() => expect(left).toHaveLength(64))
  expect(buffered(app)[0]).toBeLessThan(BOUND + 64 * SHORT_BYTES)
})

it('parks no request of a client that reads in time, however many of its requests wait for room', async () => {
  const { app } = await openTestApp(5, 60_000)
  const { socket, messages } = await connect(app)
  socket.pause()
  for (let id = 0; id < 64; id++) socket.send(JSON.stringify({ type: 'completion.create', id: `${id}`, body: { background: true } }))
  await vi.waitFor(() => expect(buffered(app)[0]).toBeGreaterThan(WRITER_LIMITS.highWaterBytes))
  socket.resume()
  await vi.waitFor(() => expect(messages.filter(({ type }) => type === 'done')).toHaveLength(64), { timeout: 10_000 })
  expect(messages.filter(({ type }) => type === 'parked')).toEqual([])
})

it('bounds the buffers of 200 clients that read nothing', async () => {
  const { app, left } = await openTestApp(20)
  for (let count = 0; count < 200; count++) {
    const { socket } = await connect(app)
    socket.pause()
    socket.send(create)
  }
  await vi.waitFor(() => expect(left).toHaveLength(200), { timeout: 10_000 })
  const bytes = buffered(app)
  expect(bytes).toHaveLength(200)
  expect(Math.max(...bytes)).toBeLessThan(BOUND)
})

it('pauses reading from a client that does not read responses, and answers everything once it does', async () => {
  const { app } = await openTestApp(1, undefined, 2000)
  const { socket, messages } = await connect(app)
  socket.pause()
  // A stream that was read to its end: the response is `started` and `done`, which are sent without waiting.
  const ask = (id: string) => socket.send(JSON.stringify({ type: 'resume', id: id.padEnd(128), stream_id: 'cmpl-a', after: 2 }))
  for (let id = 0; id < 2000; id++) ask(`${id}`)
  const [served] = app.websocketServer.clients
  await vi.waitFor(() => expect(served?.isPaused).toBe(true))
  socket.resume()
  await vi.waitFor(() => expect(messages).toHaveLength(4000), 10_000)
  expect(served?.isPaused).toBe(false)
})
