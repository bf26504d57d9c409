import { type AddressInfo, connect } from 'node:net'
import type { FastifyInstance, RouteOptions } from 'fastify'
import OpenAI from 'openai'
import { afterEach, expect, it } from 'vitest'
import type { LoggedEvent } from '../../src/inference/contract/events.ts'
import { EmbeddedQueue } from '../../src/queue/embedded/embedded-queue.ts'
import type { AppOptions } from '../../src/server/app.ts'
import { emitting, inBatches, literalQueue, silent } from '../routes/literal-parts.ts'
import { readableLog, testApp } from './app-parts.ts'

const opened: FastifyInstance[] = []
afterEach(async () => {
  for (const app of opened.splice(0)) await app.close()
})

const TOKEN: LoggedEvent = { kind: 'token', choice: 0, position: 0, tokenId: 1, text: 'a', score: null, end: null }

async function listen(changes: Partial<AppOptions> = {}, apiKey = 'sk-none') {
  const app = testApp(changes)
  opened.push(app)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  return { app, port, client: new OpenAI({ apiKey, baseURL: `http://127.0.0.1:${port}/v1`, maxRetries: 0 }) }
}

it('returns a complete completion to the OpenAI client', async () => {
  const { client } = await listen()
  const { data, request_id } = await client.completions.create({ model: 'tiny', prompt: 'hi', n: 2 }).withResponse()
  expect(request_id).toMatch(/^req_[0-9a-f]{32}$/)
  expect(data.choices.map(choice => choice.text)).toEqual(['ab', 'ab'])
  expect(data.usage).toMatchObject({ prompt_tokens: 2, completion_tokens: 4 })
})

it('streams to the OpenAI client', async () => {
  const { client } = await listen()
  const stream = await client.completions.create({ model: 'tiny', prompt: 'hi', stream: true, stream_options: { include_usage: true } })
  const chunks = await collected(stream)
  expect(chunks.map(chunk => chunk.choices[0]?.text)).toEqual(['a', 'b', undefined])
  expect(chunks.at(-1)?.usage).toMatchObject({ total_tokens: 4 })
})

it('lists its model to the OpenAI client', async () => {
  const { client } = await listen({ card: { servedModelName: 'owner/tiny', contextLength: 64, created: 5, modelHash: null } })
  const model = { id: 'owner/tiny', object: 'model', created: 5, owned_by: 'everstream', max_model_len: 64 }
  expect((await client.models.list()).data).toMatchObject([model])
  expect(await client.models.retrieve('owner/tiny')).toMatchObject(model)
  await expect(client.models.retrieve('other')).rejects.toMatchObject({ status: 404, code: 'model_not_found' })
})

it.each([
  { name: 'a wrong value', ask: { temperature: 9 }, changes: {}, expected: OpenAI.BadRequestError, fields: { param: 'temperature' } },
  { name: 'an unknown model', ask: { model: 'x' }, changes: {}, expected: OpenAI.NotFoundError, fields: { code: 'model_not_found' } },
  {
    name: 'a wrong key',
    ask: {},
    changes: { apiKeys: ['sk-1'] },
    expected: OpenAI.AuthenticationError,
    fields: { code: 'invalid_api_key' }
  },
  { name: 'draining', ask: {}, changes: { isDraining: () => true }, expected: OpenAI.InternalServerError, fields: { status: 503 } }
])('raises the class of error that the OpenAI client knows for $name', async ({ ask, changes, expected, fields }) => {
  const { client } = await listen(changes)
  const error = await client.completions.create({ model: 'tiny', prompt: 'hi', ...ask }).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(expected)
  expect(error).toMatchObject({ type: expect.any(String), requestID: expect.stringMatching(/^req_/), ...fields })
})

it('raises an APIError in the OpenAI client when a stream breaks', async () => {
  const failed: LoggedEvent = { kind: 'failed', failure: { code: 'engine_failure', message: 'The engine broke.', param: null } }
  const { client } = await listen({ queue: literalQueue(inBatches([TOKEN, failed])) })
  const stream = await client.completions.create({ model: 'tiny', prompt: 'hi', stream: true })
  await expect(collected(stream)).rejects.toMatchObject({
    message: expect.stringContaining('The engine broke.'),
    code: 'engine_failure'
  })
})

it.each([true, false])('cancels the request and logs it when the client disconnects (stream: %s)', async stream => {
  const { logger, line } = readableLog()
  const cancelled = Promise.withResolvers<string>()
  const reading = Promise.withResolvers<void>()
  const queue = {
    ...literalQueue(async function* (request, signal) {
      yield [{ ordinal: 1, event: TOKEN }]
      reading.resolve()
      yield* silent(request, signal)
    }),
    cancel: async (id: string) => cancelled.resolve(id)
  }
  const { client } = await listen({ queue, logger })
  const leaving = new AbortController()
  const requested = client.completions.create({ model: 'tiny', prompt: 'hi', stream }, { signal: leaving.signal })
  const left = Promise.resolve(requested).catch(() => null)
  await reading.promise
  leaving.abort()
  await left
  const id = await cancelled.promise
  expect(await line('request')).toMatchObject({
    streamId: id,
    status: 499,
    completionTokens: 1,
    outcome: 'cancelled',
    finishReasons: { stop: 0, length: 0 }
  })
})

it('logs one line for each request, without prompt and text', async () => {
  const { logger, line, lines } = readableLog()
  const app = testApp({ logger })
  const payload = { model: 'tiny', prompt: 'secret prompt', stream: true }
  const response = await app.inject({ method: 'POST', url: '/v1/completions?key=hush', payload })
  expect(await line('request')).toMatchObject({
    requestId: response.headers['x-request-id'],
    streamId: response.headers['x-stream-id'],
    method: 'POST',
    route: '/v1/completions',
    status: 200,
    model: 'tiny',
    stream: true,
    promptTokens: 13,
    completionTokens: 2,
    queueMs: 1,
    prefillMs: 2,
    decodeMs: 3,
    finishReasons: { stop: 0, length: 1 },
    outcome: 'finished'
  })
  expect(lines).toHaveLength(1)
  expect(JSON.stringify(lines)).not.toMatch(/secret|hush/)
})

it('logs an unexpected error and hides it from the client', async () => {
  const { logger, line } = readableLog()
  const queue = { ...literalQueue(emitting('a')), submit: async () => Promise.reject(new TypeError('inner life')) }
  const response = await testApp({ logger, queue }).inject({
    method: 'POST',
    url: '/v1/completions',
    payload: { model: 'tiny', prompt: 'hi' }
  })
  expect(response.statusCode).toBe(500)
  expect(response.body).not.toContain('inner life')
  expect(response.json().error).toMatchObject({ type: 'server_error', code: 'internal_error', param: null })
  expect(response.headers['x-should-retry']).toBe('false')
  expect(await line('unhandled error')).toMatchObject({ err: { message: 'inner life', stack: expect.stringContaining('app.test.ts') } })
})

it('requires a key for every route but the two probes', async () => {
  const app = testApp({ apiKeys: ['sk-1'] })
  const routes: { method: string; url: string }[] = []
  app.addHook('onRoute', ({ method, url }: RouteOptions) => {
    for (const one of [method].flat()) routes.push({ method: one as string, url })
  })
  await app.ready()
  const open = new Set<string>()
  for (const { method, url } of routes) {
    const response = await app.inject({ method: method as 'GET', url: url.replace(/[:*]\w*/g, 'x') })
    if (response.statusCode !== 401) open.add(url)
  }
  expect(routes.length).toBeGreaterThan(4)
  expect([...open].toSorted()).toEqual(['/health', '/ready'])
})

it.each(['/unknown', '/v1/completions/', '/HEALTH', '//health', '/health/..', '/%68ealth/x'])(
  'requires a key for the undeclared URL %s',
  async url => {
    expect((await testApp({ apiKeys: ['sk-1'] }).inject({ url })).statusCode).toBe(401)
  }
)

it.each([
  { name: 'an unknown URL', ask: { url: '/v2/x' }, status: 404, code: 'not_found' },
  { name: 'a wrong method', ask: { url: '/v1/completions' }, status: 405, code: 'method_not_allowed' },
  { name: 'a broken escape', ask: { url: '/%zz' }, status: 400, code: null },
  { name: 'broken JSON', ask: { payload: '{"model": "secret', headers: { 'content-type': 'application/json' } }, status: 400, code: null },
  { name: 'no body', ask: { headers: { 'content-type': 'application/json' } }, status: 400, code: null },
  {
    name: 'a poisoned body',
    ask: { payload: '{"__proto__":{}}', headers: { 'content-type': 'application/json' } },
    status: 400,
    code: null
  },
  { name: 'plain text', ask: { payload: '{}', headers: { 'content-type': 'text/plain' } }, status: 415, code: 'unsupported_media_type' },
  {
    name: 'a form',
    ask: { payload: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
    status: 415,
    code: 'unsupported_media_type'
  },
  { name: 'a compressed body', ask: { payload: {}, headers: { 'content-encoding': 'gzip' } }, status: 415, code: 'unsupported_media_type' },
  { name: 'a large body', ask: { payload: { prompt: 'x'.repeat(1 << 20) } }, status: 413, code: 'body_too_large' }
])("answers $name with OpenAI's error object", async ({ ask, status, code }) => {
  const method = 'url' in ask ? 'GET' : 'POST'
  const response = await testApp().inject({ method, url: '/v1/completions', ...ask })
  expect(response.statusCode).toBe(status)
  expect(response.json()).toEqual({ error: { message: expect.any(String), type: 'invalid_request_error', param: null, code } })
  expect(response.body).not.toContain('secret')
})

it.each([
  ['GET', '/health', 200],
  ['GET', '/ready?x=1', 200],
  ['GET', '/metrics', 200],
  ['GET', '/v1/models', 200],
  ['GET', '/v1/models/tiny', 200],
  ['GET', '/openapi.json', 200],
  ['POST', '/v1/completions', 200],
  ['POST', '/tokenize', 200],
  ['DELETE', '/v1/completions', 405],
  ['GET', '/unknown', 404]
] as const)('answers %s %s identically with and without a trailing slash', async (method, url, status) => {
  const { logger, lines } = readableLog()
  const app = testApp({ logger })
  const ask = async (target: string) => {
    const payload = { model: 'tiny', prompt: 'hi' }
    const { statusCode, headers } = await app.inject({ method, url: target, ...(method === 'POST' && { payload }) })
    return { statusCode, type: headers['content-type'], allow: headers['allow'] }
  }
  const plain = await ask(url)
  expect(plain.statusCode).toBe(status)
  expect(await ask(url.replace(/(?=\?|$)/, '/'))).toEqual(plain)
  const routes = lines.filter(line => line['msg'] === 'request').map(line => line['route'])
  expect(routes.at(0)).toEqual(routes.at(-1))
  const guarded = testApp({ apiKeys: ['sk-1'] })
  const isGuarded = async (target: string) => (await guarded.inject({ method, url: target })).statusCode === 401
  expect(await isGuarded(url.replace(/(?=\?|$)/, '/'))).toBe(await isGuarded(url))
})

it('logs probes at debug only, whatever their status', async () => {
  for (const isGood of [true, false]) {
    const { logger, lines } = readableLog()
    logger.level = 'debug'
    const status = { isHealthy: () => isGood, isReady: () => isGood, detail: () => ({}), depth: async () => ({ waiting: 0, running: 0 }) }
    const app = testApp({ logger, status })
    for (const url of ['/health', '/ready', '/health/', '/ready/?a=1']) await app.inject({ url })
    await app.inject({ method: 'HEAD', url: '/health' })
    await app.inject({ url: '/v1/models' })
    await expect.poll(() => lines.filter(line => line['msg'] === 'request').map(line => line['level'])).toEqual([20, 20, 20, 20, 20, 30])
  }
})

it.each(['/docs/unknown', '/docs/unknown/', '/docs/js', '/docs//', '/docs/openapi.yaml', '/docsx'])('has no page %s', async url => {
  for (const method of ['GET', 'HEAD', 'DELETE'] as const) {
    expect((await testApp().inject({ method, url })).statusCode).toBe(404)
  }
})

it.each(['application/json', 'text/plain', 'application/x-www-form-urlencoded', 'nonsense'])(
  'accepts a content type without a body: %s',
  async type => {
    const app = testApp({ queue: new EmbeddedQueue() })
    for (const length of [{}, { 'content-length': '0' }]) {
      for (const [method, url] of [
        ['DELETE', '/v1/streams/x'],
        ['DELETE', '/v1/models/x'],
        ['POST', '/health'],
        ['OPTIONS', '/v1/models'],
        ['PUT', '/unknown'],
        ['POST', '/v1/completions']
      ] as const) {
        const plain = await app.inject({ method, url })
        const typed = await app.inject({ method, url, headers: { 'content-type': type, ...length } })
        expect({ method, url, status: typed.statusCode, body: typed.body }).toEqual({
          method,
          url,
          status: plain.statusCode,
          body: plain.body
        })
      }
    }
  }
)

it.each([
  { headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' } },
  { headers: { 'content-type': 'application/json' }, payload: '{' },
  { headers: { 'content-type': 'text/plain' }, payload: 'please' }
])('does not read the body of a DELETE: %o', async ask => {
  const app = testApp({ queue: new EmbeddedQueue() })
  const plain = await app.inject({ method: 'DELETE', url: '/v1/streams/x' })
  const requested = await app.inject({ method: 'DELETE', url: '/v1/streams/x', ...ask })
  expect([requested.statusCode, requested.body]).toEqual([404, plain.body])
})

it('lists the allowed methods of a URL', async () => {
  expect((await testApp().inject({ method: 'DELETE', url: '/v1/models/owner/tiny' })).headers['allow']).toBe('GET, HEAD')
  // GET opens a WebSocket there; without an upgrade it is not an allowed method.
  for (const method of ['GET', 'HEAD', 'DELETE'] as const) {
    const response = await testApp().inject({ method, url: '/v1/completions' })
    expect({ method, status: response.statusCode, allow: response.headers['allow'] }).toEqual({ method, status: 405, allow: 'POST' })
  }
})

it.each([
  { name: 'bytes that are not HTTP', bytes: 'what?\r\n\r\n', status: 400 },
  { name: 'a request without a host', bytes: 'GET /health HTTP/1.1\r\n\r\n', status: 400 },
  { name: 'endless headers', bytes: `GET /health HTTP/1.1\r\nhost: localhost\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, status: 431 }
])('answers $name and closes the connection', async ({ bytes, status }) => {
  const { port } = await listen()
  const socket = connect(port, '127.0.0.1')
  socket.write(bytes)
  const answer = (await socket.map(String).toArray()).join('')
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
})

it('refuses new work while draining, but still answers other requests', async () => {
  const app = testApp({ isDraining: () => true })
  const refused = await app.inject({ method: 'POST', url: '/v1/completions', payload: { model: 'tiny', prompt: 'hi' } })
  expect(refused.statusCode).toBe(503)
  expect(refused.headers).toMatchObject({ 'retry-after': '2', 'x-should-retry': 'true', connection: 'close' })
  expect((await app.inject({ url: '/v1/models' })).statusCode).toBe(200)
  expect((await app.inject({ url: '/health' })).statusCode).toBe(200)
})

async function collected<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = []
  for await (const item of items) all.push(item)
  return all
}
