import type { RouteOptions } from 'fastify'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { EmbeddedQueue } from '../../../src/queue/embedded/embedded-queue.ts'
import { ChatCompletionChunkSchema, ChatCompletionSchema } from '../../../src/routes/chat/schema.ts'
import { CompletionSchema } from '../../../src/routes/completions/schema.ts'
import { StatusSchema } from '../../../src/routes/health/schema.ts'
import { ModelListSchema } from '../../../src/routes/models/schema.ts'
import { StreamSchema } from '../../../src/routes/streams/schema.ts'
import { DetokenizedSchema, RenderedSchema, TokenizedSchema, TokenizerInfoSchema } from '../../../src/routes/tokenize/schema.ts'
import { ErrorSchema } from '../../../src/routes/wire/errors/error-body.ts'
import { ERROR_TABLE } from '../../../src/routes/wire/errors/error-table.ts'
import { StreamStateSchema } from '../../../src/routes/wire/stream/stream-state.ts'
import { openApiDocument } from '../../../src/server/openapi/document.ts'
import { OPERATIONS } from '../../../src/server/openapi/operations.ts'
import { joinInProcess } from '../../queue/embedded/in-process-worker.ts'
import { chatText } from '../../routes/chat/chat-text.ts'
import { readSse } from '../../routes/literal-parts.ts'
import { testApp } from '../app-parts.ts'

const Media = z.looseObject({ schema: z.record(z.string(), z.unknown()).optional() })
const Described = z.looseObject({
  openapi: z.literal('3.1.0'),
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.looseObject({
        operationId: z.string(),
        requestBody: z.looseObject({ content: z.record(z.string(), Media) }).optional(),
        responses: z.record(z.string(), z.looseObject({ description: z.string() }))
      })
    )
  ),
  components: z.looseObject({ schemas: z.record(z.string(), z.record(z.string(), z.unknown())) })
})
const DOCUMENT = Described.parse(JSON.parse(JSON.stringify(openApiDocument(OPERATIONS))))
const ALL = Object.entries(DOCUMENT.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation }))
)

it('describes exactly the declared routes', async () => {
  const app = testApp()
  const declared = new Set<string>()
  app.addHook('onRoute', ({ method, url }: RouteOptions) => {
    for (const one of [method].flat()) if (one !== 'HEAD' && !url.startsWith('/docs/')) declared.add(`${String(one)} ${url}`)
  })
  await app.ready()
  expect(OPERATIONS.map(({ method, url }) => `${method} ${url}`).toSorted()).toEqual([...declared].toSorted())
})

it('is served at /openapi.json, with unique operation ids and no dangling reference', async () => {
  const { statusCode, body } = await testApp().inject({ url: '/openapi.json' })
  expect(statusCode).toBe(200)
  expect(JSON.parse(body)).toEqual(DOCUMENT)
  const ids = ALL.map(({ operation }) => operation.operationId)
  expect(new Set(ids).size).toBe(ids.length)
  const targets = new Set(Object.keys(DOCUMENT.components.schemas).map(name => `#/components/schemas/${name}`))
  const references = Array.from(body.matchAll(/"\$ref":"([^"]+)"/g), ([, target]) => target)
  expect(references.filter(target => !targets.has(target ?? ''))).toEqual([])
})

it('lists every status of the error table that a generation can return', () => {
  const received = new Set(Object.keys(DOCUMENT.paths['/v1/completions']?.['post']?.responses ?? {}))
  const elsewhere = new Set(['499'])
  const missing = Object.values(ERROR_TABLE).filter(({ http }) => !received.has(String(http)) && !elsewhere.has(String(http)))
  expect(missing).toEqual([])
})

it.each(['/v1/completions', '/v1/chat/completions', '/tokenize', '/detokenize'])('describes every field of %s', path => {
  const schema = bodySchema(path)
  const fields = Object.entries(z.record(z.string(), z.record(z.string(), z.unknown())).parse(schema['properties']))
  expect(fields.length).toBeGreaterThan(1)
  expect(fields.filter(([, field]) => typeof field['description'] !== 'string').map(([name]) => name)).toEqual([])
  const required = z.array(z.string()).optional().parse(schema['required']) ?? []
  const undecided = fields.filter(([name, field]) => !required.includes(name) && !('default' in field)).map(([name]) => name)
  expect(undecided).toEqual([])
})

it('has schemas that real responses satisfy', async () => {
  const queue = new EmbeddedQueue()
  joinInProcess(queue, 4)
  const app = testApp({ queue, text: chatText() })
  const ask = async (url: string, payload: object) => await app.inject({ method: 'POST', url, payload: { model: 'tiny', ...payload } })
  const completion = { prompt: ['hi', 'you'], max_tokens: 3, return_token_ids: true, timings: true }
  const message = { messages: [{ role: 'user', content: 'a' }], max_tokens: 3, n: 2, temperature: 0, return_token_ids: true, timings: true }
  const streamed = { stream: true, stream_options: { include_usage: true } }
  const whole = await ask('/v1/completions', completion)
  const state = await ask('/v1/completions', { ...completion, background: true })
  const answers = [
    [CompletionSchema, whole.json()],
    [ChatCompletionSchema, (await ask('/v1/chat/completions', message)).json()],
    [StreamStateSchema, state.json()],
    [StreamSchema, (await app.inject({ url: `/v1/streams/${String(whole.headers['x-stream-id'])}?stream=false` })).json()],
    [ModelListSchema, (await app.inject({ url: '/v1/models' })).json()],
    [RenderedSchema, (await ask('/v1/completions/render', completion)).json()],
    [TokenizedSchema, (await ask('/tokenize', { prompt: 'hi', return_token_strs: true })).json()],
    [DetokenizedSchema, (await ask('/detokenize', { tokens: [104, 105] })).json()],
    [TokenizerInfoSchema, (await app.inject({ url: '/tokenizer_info' })).json()],
    [StatusSchema, (await app.inject({ url: '/health' })).json()],
    [ErrorSchema, (await ask('/v1/completions', { temperature: 9 })).json()],
    ...chunksOf(await ask('/v1/completions', { ...completion, ...streamed })).map(chunk => [CompletionSchema, chunk] as const),
    ...chunksOf(await ask('/v1/chat/completions', { ...message, ...streamed })).map(chunk => [ChatCompletionChunkSchema, chunk] as const)
  ] as const
  expect(answers.length).toBeGreaterThan(16)
  for (const [schema, answer] of answers)
    expect({ answer, issues: schema.safeParse(answer).error?.issues ?? [] }).toEqual({ answer, issues: [] })
})

it('is shown as a page that loads nothing from other hosts', async () => {
  const app = testApp()
  const first = await app.inject({ url: '/docs' })
  const page = first.headers.location === undefined ? first : await app.inject({ url: first.headers.location })
  expect(page.statusCode).toBe(200)
  expect(page.headers['content-type']).toContain('text/html')
  const sources = Array.from(page.body.matchAll(/(?:src|href)="([^"]+)"/g), ([, source]) => source ?? '')
  expect(sources.filter(source => /^(?:https?:)?\/\//.test(source))).toEqual([])
  const script = sources.find(source => source.endsWith('.js')) ?? ''
  const { statusCode, headers } = await app.inject({ url: new URL(script, 'http://localhost/docs/').pathname })
  expect([statusCode, headers['content-type']]).toEqual([200, expect.stringContaining('javascript')])
})

function bodySchema(path: string): Record<string, unknown> {
  const schema = DOCUMENT.paths[path]?.['post']?.requestBody?.content['application/json']?.schema
  if (schema === undefined) throw new Error(`${path} has no body`)
  return schema
}

function chunksOf(response: { readonly body: string }): unknown[] {
  return readSse(response.body)
    .filter(({ data }) => data !== '[DONE]')
    .map(({ data }) => JSON.parse(data))
}
