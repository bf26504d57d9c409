import { expect, it } from 'vitest'
import { TRICKS } from '../../queue/fake-engine.ts'
import { chatText } from '../chat/chat-text.ts'
import { readSse } from '../literal-parts.ts'
import { ASocket, BODY, type Message, openTestApp } from './a-socket.ts'

const create = (id: string, body: object = {}) => ({ type: 'completion.create', id, body: { ...BODY, ...body } })
const isDone = (id: string) => (message: Message) => message['type'] === 'done' && message['id'] === id
/** A prompt after whose first token the worker pauses. */
const HOLD = { prompt: [TRICKS.hold] }

it('sends the chunks of the SSE stream of the same request, with the same ids', async () => {
  await using testApp = await openTestApp()
  const client = await testApp.connect()
  const options = { n: 2, stream_options: { include_usage: true } }
  client.send(create('a', options))
  await client.until(isDone('a'))
  const sse = readSse(await (await testApp.post(options)).text()).filter(event => event.data !== '[DONE]')
  const chunks = client.of('a').filter(message => message['type'] === 'chunk')
  const unnamed = (chunk: unknown) => ({ ...(chunk as object), id: '' })
  expect(chunks.map(chunk => unnamed(chunk['data']))).toEqual(sse.map(event => unnamed(JSON.parse(event.data))))
  const numbered = sse.filter(event => event.id !== null)
  expect(chunks.slice(0, numbered.length).map(chunk => String(chunk['seq']))).toEqual(numbered.map(event => event.id))
  expect(
    client
      .of('a')
      .map(message => message['type'])
      .at(0)
  ).toBe('started')
})

it('sends the chunks of the SSE stream of the same chat body', async () => {
  await using testApp = await openTestApp(4, undefined, { text: chatText() })
  const client = await testApp.connect()
  const options = { n: 2, stream_options: { include_usage: true, continuous_usage_stats: true }, return_token_ids: true }
  const body = { model: 'tiny', messages: [{ role: 'user', content: 'hi' }], max_tokens: 4, ...options }
  client.send({ type: 'chat.create', id: 'a', body })
  await client.until(isDone('a'))
  const response = await testApp.post({ ...body, prompt: undefined }, '/v1/chat/completions')
  const sse = readSse(await response.text()).filter(event => event.data !== '[DONE]')
  const chunks = client.of('a').filter(message => message['type'] === 'chunk')
  const unnamed = (chunk: unknown) => ({ ...(chunk as object), id: '' })
  expect(chunks).toHaveLength(2 * (1 + 4) + 1)
  expect(chunks.map(chunk => unnamed(chunk['data']))).toEqual(sse.map(event => unnamed(JSON.parse(event.data))))
  const numbered = sse.flatMap((event, at) => (event.id === null ? [] : [[at, event.id]]))
  expect(numbered.map(([at]) => [at, String(chunks[Number(at)]?.['seq'])])).toEqual(numbered)
})

it('bounds number and length of the names of ignored fields', async () => {
  await using testApp = await openTestApp()
  const client = await testApp.connect()
  const unknown = Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`${at}${'é'.repeat(100)}`, 1]))
  client.send(create('a', unknown))
  const { ignored_params } = await client.until(message => message['type'] === 'started')
  expect(ignored_params).toHaveLength(32)
  for (const name of ignored_params as string[]) expect(name.length).toBeLessThanOrEqual(64)
})

it('serves concurrent requests, each with its own id', async () => {
  await using testApp = await openTestApp()
  const client = await testApp.connect()
  const ids = Array.from({ length: 12 }, (_, index) => `request ${index}`)
  for (const [index, id] of ids.entries()) client.send(create(id, { max_tokens: 1 + index }))
  for (const [index, id] of ids.entries()) {
    await client.until(isDone(id))
    expect(client.of(id).filter(message => message['type'] === 'chunk')).toHaveLength(1 + index)
  }
})

it('sends the position of a waiting request', async () => {
  await using testApp = await openTestApp(1)
  const client = await testApp.connect()
  client.send(create('holds', HOLD))
  await client.until(message => message['type'] === 'chunk')
  client.send(create('waits'))
  expect(await client.until(message => message['type'] === 'queue')).toMatchObject({ id: 'waits', position: 1 })
  client.send({ type: 'cancel', id: 'holds' })
  await client.until(isDone('waits'))
  expect(client.of('holds').at(-1)).toMatchObject({ type: 'error', error: { code: 'request_cancelled' } })
})

it('resumes after any ordinal on another socket', async () => {
  await using testApp = await openTestApp()
  const first = await testApp.connect()
  first.send(create('a', { background: true, max_tokens: 6 }))
  await first.until(isDone('a'))
  const { stream_id } = first.of('a')[0] as { stream_id: string }
  const chunks = first.of('a').filter(message => message['type'] === 'chunk')
  const second = await testApp.connect()
  for (const [seen, { seq }] of chunks.entries()) {
    const id = `after ${seq}`
    second.send({ type: 'resume', id, stream_id, after: seq })
    await second.until(isDone(id))
    expect(second.of(id).flatMap(message => (message['type'] === 'chunk' ? [message['data']] : []))).toEqual(
      chunks.slice(seen + 1).map(chunk => chunk['data'])
    )
  }
})

it('sends done immediately when a stream is resumed at its end', async () => {
  await using testApp = await openTestApp()
  const client = await testApp.connect()
  client.send(create('a', { background: true, max_tokens: 2 }))
  await client.until(isDone('a'))
  const { stream_id } = client.of('a')[0] as { stream_id: string }
  const { last } = await testApp.queue.snapshot(stream_id)
  client.send({ type: 'resume', id: 'b', stream_id, after: last })
  await client.until(message => message['id'] === 'b' && message['type'] !== 'started')
  expect(client.of('b').map(message => message['type'])).toEqual(['started', 'done'])
})

it('cancels its requests when it closes, except those in the background', async () => {
  await using testApp = await openTestApp()
  const client = await testApp.connect()
  client.send(create('left', HOLD))
  client.send(create('kept', { ...HOLD, background: true }))
  const streamOf = async (id: string) =>
    String((await client.until(message => message['type'] === 'started' && message['id'] === id))['stream_id'])
  const [left, kept] = [await streamOf('left'), await streamOf('kept')]
  for (const id of ['left', 'kept']) await client.until(message => message['type'] === 'chunk' && message['id'] === id)
  client.socket.close()
  const end = await readToEnd(testApp, left)
  expect(end).toMatchObject({ kind: 'failed', failure: { code: 'cancelled' } })
  expect(await testApp.queue.snapshot(kept)).toMatchObject({ last: expect.toSatisfy(last => last > 0), end: null })
  await testApp.queue.cancel(kept)
})

it.each([
  ['no JSON', '{', null, /not valid JSON/],
  ['no object', '[]', null, /./],
  ['an unknown type', '{"type":"sing","id":"a"}', 'a', /type/],
  ['no id', '{"type":"cancel"}', null, /id/],
  ['a bad body', JSON.stringify(create('a', { max_tokens: -1 })), 'a', /max_tokens.*-1/],
  ['an unknown stream', '{"type":"resume","id":"a","stream_id":"cmpl-none"}', 'a', /no stream/],
  ['a cancel of an unknown request', '{"type":"cancel","id":"a"}', 'a', /no request `a` on this socket/]
])('answers %s with an error and stays open', async (_name, frame, id, message) => {
  await using testApp = await openTestApp()
  const client = await testApp.connect()
  client.send(frame)
  expect(await client.until(one => one['type'] === 'error')).toEqual({
    type: 'error',
    id,
    error: {
      message: expect.stringMatching(message),
      type: 'invalid_request_error',
      param: expect.toSatisfy(isNullOrText),
      code: expect.toSatisfy(isNullOrText)
    }
  })
  client.send(create('b'))
  await client.until(isDone('b'))
})

it.each([
  ['bytes', [Buffer.from([0, 255])]],
  ['JSON', [Buffer.from(JSON.stringify(create('b')))]],
  ['nothing', [Buffer.alloc(0)]],
  ['fragments', [Buffer.from('{"type":'), Buffer.from('"cancel"}')]]
])('answers a binary frame of %s with an error about text frames', async (_name, pieces) => {
  await using testApp = await openTestApp()
  const client = await testApp.connect()
  for (const [at, piece] of pieces.entries()) client.socket.send(piece, { binary: true, fin: at === pieces.length - 1 })
  expect(await client.until(one => one['type'] === 'error')).toMatchObject({
    id: null,
    error: { message: expect.stringMatching(/binary.*text frames/), type: 'invalid_request_error' }
  })
  for (const piece of ['{"type":"cancel",', '"id":"a"}']) client.socket.send(piece, { fin: piece.endsWith('}') })
  expect(await client.until(one => one['id'] === 'a')).toMatchObject({ type: 'error' })
})

it('closes with 1007 when text is not UTF-8', async () => {
  await using testApp = await openTestApp()
  const client = await testApp.connect()
  client.socket.send(Buffer.from([0xff]), { binary: false })
  expect(await client.closed).toBe(1007)
})

it.each([
  ['no JSON', ''],
  ['no message', '{}'],
  ['a bad body', JSON.stringify(create('a', { max_tokens: -1 }))],
  ['a binary frame', Buffer.alloc(1)],
  ['a cancel of an unknown request', '{"type":"cancel","id":"a"}'],
  ['an unknown stream', '{"type":"resume","id":"a","stream_id":"cmpl-none"}']
])('closes with 1008 after too many refused frames: %s', async (_name, frame) => {
  await using testApp = await openTestApp()
  const other = await testApp.connect()
  const client = await testApp.connect()
  for (let count = 0; count < 5000; count++) client.socket.send(frame)
  expect(await client.closed).toBe(1008)
  expect(client.messages.length).toBeLessThan(200)
  // Other sockets are not affected, and a few refusals are allowed.
  other.send('{')
  other.send(create('b'))
  await other.until(isDone('b'))
})

it('does not count refusals that the client did not cause, nor requests that the client cancels', async () => {
  await using testApp = await openTestApp(64)
  const client = await testApp.connect()
  for (let count = 0; count < 200; count++) {
    client.send(create(`${count}`, HOLD))
    await client.until(message => message['type'] === 'started' && message['id'] === `${count}`)
    client.send({ type: 'cancel', id: `${count}` })
    await client.until(message => message['type'] === 'error' && message['id'] === `${count}`)
  }
  client.send(create('b'))
  await client.until(isDone('b'))
})

it('refuses an id that is in use', async () => {
  await using testApp = await openTestApp()
  const client = await testApp.connect()
  client.send(create('a', HOLD))
  await client.until(message => message['type'] === 'chunk')
  client.send(create('a'))
  expect(await client.until(message => message['type'] === 'error')).toMatchObject({ id: 'a', error: { param: 'id' } })
})

it('closes with 1009 when a frame is too large', async () => {
  await using testApp = await openTestApp()
  const client = await testApp.connect()
  client.send('x'.repeat(1_100_000))
  expect(await client.closed).toBe(1009)
})

it('does not wait for clients that do not respond when the server shuts down', async () => {
  const testApp = await openTestApp()
  const silent = await testApp.connect()
  silent.socket.pause()
  const flooding = await testApp.connect()
  flooding.socket.pause()
  const sending = setInterval(() => flooding.socket.readyState === flooding.socket.OPEN && flooding.send('{'), 1)
  await testApp.app.close()
  clearInterval(sending)
  silent.socket.resume()
  expect(await silent.closed).toBe(1012)
})

it('closes sockets with 1012 when the server shuts down', async () => {
  const testApp = await openTestApp()
  const client = await testApp.connect()
  await testApp.app.close()
  expect(await client.closed).toBe(1012)
})

it('closes sockets when this process is about to exit, and their requests continue for other processes', async () => {
  const leaving = new AbortController()
  await using testApp = await openTestApp(4, leaving.signal)
  const client = await testApp.connect()
  client.send(create('a', HOLD))
  const { stream_id } = await client.until(message => message['type'] === 'started')
  await client.until(message => message['type'] === 'chunk')
  leaving.abort()
  expect(await client.closed).toBe(1012)
  const again = await testApp.connect()
  again.send({ type: 'resume', id: 'a', stream_id, after: 0 })
  await again.until(message => message['type'] === 'chunk')
  expect(await testApp.queue.snapshot(String(stream_id))).toMatchObject({ last: expect.toSatisfy(last => last > 0), end: null })
  await testApp.queue.cancel(String(stream_id))
})

it.each([
  ['http://evil.example', 403],
  ['null', 403]
])('refuses WebSocket connections from pages of another origin: %s', async (origin, status) => {
  await using testApp = await openTestApp()
  const client = new ASocket(`ws://${testApp.host}/v1/completions`, { origin })
  const error = await new Promise<Error>(resolve => client.socket.once('error', resolve))
  expect(error.message).toContain(String(status))
})

it('accepts WebSocket connections from pages of its own origin', async () => {
  await using testApp = await openTestApp()
  const client = await testApp.connect({ origin: `http://${testApp.host}` })
  client.send(create('a'))
  await client.until(isDone('a'))
})

function isNullOrText(value: unknown): boolean {
  return value === null || typeof value === 'string'
}

async function readToEnd(testApp: Awaited<ReturnType<typeof openTestApp>>, streamId: string) {
  let last: unknown = null
  for await (const batch of testApp.queue.events(streamId, 0, AbortSignal.timeout(10_000))) last = batch.at(-1)?.event
  return last
}
