import { fastify } from 'fastify'
import { expect, it } from 'vitest'
import { ServiceError } from '../../../src/inference/contract/errors.ts'
import type { LoggedEvent } from '../../../src/inference/contract/events.ts'
import { completionApi } from '../../../src/routes/completions/api.ts'
import { generationRoute } from '../../../src/routes/wire/request/generation-route.ts'
import { answerErrors } from '../../../src/server/plugins/error-handler.ts'
import { emitting, finished, inBatches, type LiteralQueue, literalQueue, readSse, routeOptions } from '../literal-parts.ts'

async function post(queue: LiteralQueue, fields: object = {}) {
  const app = fastify()
  answerErrors(app)
  await app.register(generationRoute(completionApi), routeOptions(queue))
  return await app.inject({ method: 'POST', url: '/v1/completions', payload: { model: 'tiny', prompt: 'hi', ...fields } })
}

const FAILED: LoggedEvent = { kind: 'failed', failure: { code: 'poisoned', message: 'The request crashes its worker.', param: null } }
const TOKEN: LoggedEvent = { kind: 'token', choice: 0, position: 0, tokenId: 1, text: 'a', score: null, end: null }
const POISONED = { error: { message: 'The request crashes its worker.', type: 'server_error', param: null, code: 'request_poisoned' } }

it('returns the whole text, with its id in body and header', async () => {
  const queue = literalQueue(emitting('a', 'b'))
  const response = await post(queue, { prompt: ['x', 'y'], n: 2 })
  const body = response.json()
  expect(response.statusCode).toBe(200)
  expect(body.choices.map((choice: { index: number; text: string }) => [choice.index, choice.text])).toEqual([
    [0, 'ab'],
    [1, 'ab'],
    [2, 'ab'],
    [3, 'ab']
  ])
  expect(body.usage).toMatchObject({ prompt_tokens: 2, completion_tokens: 8, total_tokens: 10 })
  expect(body.id).toBe(queue.submitted[0]?.id)
  expect(response.headers).toMatchObject({ 'x-stream-id': body.id, 'openai-processing-ms': '0' })
  expect(queue.cancelled).toEqual([])
})

it('streams one event per visible entry, with its ordinal as id, and ends with [DONE]', async () => {
  const response = await post(literalQueue(emitting('a', '', 'b')), { stream: true })
  const events = readSse(response.body)
  expect(response.headers['content-type']).toContain('text/event-stream')
  expect(response.headers['x-stream-id']).toMatch(/^cmpl-/)
  expect(events.map(event => event.id)).toEqual(['2', '4', '5'])
  expect(events.slice(0, -1).map(event => JSON.parse(event.data).choices[0].text)).toEqual(['a', 'b'])
  expect(events.at(-1)?.data).toBe('[DONE]')
})

it('puts the usage chunk before [DONE], and null into the others', async () => {
  const response = await post(literalQueue(emitting('a')), { stream: true, stream_options: { include_usage: true } })
  const [chunk, usage, done] = readSse(response.body)
  expect(JSON.parse(chunk?.data ?? '')).toHaveProperty('usage', null)
  expect(JSON.parse(usage?.data ?? '')).toMatchObject({ choices: [], usage: { prompt_tokens: 2, completion_tokens: 1, total_tokens: 3 } })
  expect(done?.data).toBe('[DONE]')
})

it('sets an id on the last of the final events only, so that a resumed stream repeats events rather than skipping them', async () => {
  const script = inBatches([{ kind: 'started' }, finished({ promptTokens: 2, completionTokens: 0, cachedTokens: 0 })])
  const response = await post(literalQueue(script), { stream: true, max_tokens: 0, stream_options: { include_usage: true } })
  expect(readSse(response.body).map(event => event.id)).toEqual([null, null, '2'])
})

it('sends the position in the queue as a comment', async () => {
  const queue = literalQueue(async function* (request, signal) {
    yield [{ ordinal: null, event: { kind: 'queued', position: 3, etaMs: null } }]
    yield* emitting('a')(request, signal)
  })
  const response = await post(queue, { stream: true })
  expect(response.body).toContain(': queued, position 3\n')
})

it.each([false, true])('answers a failure before the first byte with an HTTP status (stream: %s)', async stream => {
  const response = await post(literalQueue(inBatches([FAILED])), { stream })
  expect(response.statusCode).toBe(500)
  expect(response.headers['x-should-retry']).toBe('false')
  expect(response.json()).toEqual(POISONED)
})

it('answers a failure of a whole response with an HTTP status, even after tokens were generated', async () => {
  const response = await post(literalQueue(inBatches([TOKEN, FAILED])))
  expect(response.statusCode).toBe(500)
  expect(response.json()).toEqual(POISONED)
})

it('ends a failed stream with its error, without [DONE]', async () => {
  const response = await post(literalQueue(inBatches([TOKEN, FAILED])), { stream: true })
  const events = readSse(response.body)
  expect(response.statusCode).toBe(200)
  expect(events.map(event => event.id)).toEqual(['1', '2'])
  expect(JSON.parse(events[1]?.data ?? '')).toEqual(POISONED)
  expect(response.body).not.toContain('[DONE]')
})

it('answers a full queue with 503 and the time to retry', async () => {
  const queue = literalQueue(emitting('a'))
  const full = { ...queue, submit: async () => Promise.reject(new ServiceError('queue_full', 'The server is full.')) }
  const response = await post(full, { stream: true })
  expect(response.statusCode).toBe(503)
  expect(response.headers).toMatchObject({ 'retry-after': '1', 'x-should-retry': 'true' })
  expect(response.json().error).toEqual({
    message: 'The server is full.',
    type: 'service_unavailable_error',
    param: null,
    code: 'server_is_overloaded'
  })
})

it.each([false, true])('cancels a request whose log stops without an end, and returns no details (stream: %s)', async stream => {
  const queue = literalQueue(inBatches([TOKEN]))
  const response = await post(queue, { stream })
  expect(response.body).toContain('internal_error')
  expect(response.body).not.toContain('[DONE]')
  expect(response.body).not.toContain('terminal event')
  expect(queue.cancelled).toEqual([queue.submitted[0]?.id])
})

it('ends a stream whose log is lost with the error of the queue', async () => {
  const queue = literalQueue(async function* () {
    yield [{ ordinal: 1, event: TOKEN }]
    throw new ServiceError('unavailable', 'The log was dropped.')
  })
  const response = await post(queue, { stream: true })
  expect(JSON.parse(readSse(response.body).at(-1)?.data ?? '')).toMatchObject({ error: { message: 'The log was dropped.' } })
  expect(queue.cancelled).toHaveLength(1)
})
