import { expect, it } from 'vitest'
import { EmbeddedQueue } from '../../../src/queue/embedded/embedded-queue.ts'
import { joinInProcess } from '../../queue/embedded/in-process-worker.ts'
import { TRICKS } from '../../queue/fake-engine.ts'
import { openTestApp } from '../../routes/socket/a-socket.ts'
import { testApp } from '../app-parts.ts'
import { changes, scrape, scrapeUntil, total } from './samples.ts'

const MODEL = 'model_name="tiny"'

function served(slots = 4) {
  const queue = new EmbeddedQueue()
  const worker = joinInProcess(queue, slots)
  const app = testApp({ queue, clock: Date.now })
  const post = async (body: object, headers: Record<string, string> = {}) =>
    await app.inject({
      method: 'POST',
      url: '/v1/completions',
      headers,
      payload: { model: 'tiny', prompt: 'hi', max_tokens: 4, temperature: 1, ...body }
    })
  return { queue, worker, app, post }
}

it('counts exactly the tokens of a request, streamed or not', async () => {
  const { app, post } = served()
  for (const stream of [true, false]) {
    const before = await scrape(app)
    await post({ prompt: ['hi', 'you'], n: 2, max_tokens: 5, stream })
    expect(changes(before, await scrape(app), 'vllm:')).toMatchObject({
      [`vllm:prompt_tokens_total{${MODEL}}`]: 2 + 3,
      [`vllm:generation_tokens_total{${MODEL}}`]: 4 * 5,
      [`vllm:request_success_total{${MODEL},finished_reason="length"}`]: 4,
      [`vllm:time_to_first_token_seconds_count{${MODEL}}`]: 1,
      [`vllm:e2e_request_latency_seconds_count{${MODEL}}`]: 1,
      [`vllm:request_queue_time_seconds_count{${MODEL}}`]: 1,
      [`vllm:request_prefill_time_seconds_count{${MODEL}}`]: 1,
      [`vllm:request_decode_time_seconds_count{${MODEL}}`]: 1
    })
  }
})

it('counts every interval between two tokens', async () => {
  const { app, post } = served()
  await post({ max_tokens: 6, stream: true })
  const samples = await scrape(app)
  const name = 'vllm:inter_token_latency_seconds'
  const count = samples.get(`${name}_count{${MODEL}}`) ?? 0
  expect(count).toBeGreaterThan(0)
  expect(count).toBeLessThanOrEqual(5)
  expect(samples.get(`${name}_bucket{le="+Inf",${MODEL}}`)).toBe(count)
})

it('counts a retry and a second reader of a stream once, and counts the resume', async () => {
  const { app, post } = served()
  const headers = { 'idempotency-key': 'once' }
  const first = await post({ stream: true }, headers)
  const before = await scrape(app)
  await post({ stream: true }, headers)
  await app.inject({ url: `/v1/streams/${String(first.headers['x-stream-id'])}?starting_after=2` })
  const after = await scrape(app)
  expect(changes(before, after, 'vllm:')).toEqual({})
  expect(changes(before, after, 'everstream_stream')).toEqual({ [`everstream_stream_resumes_total{${MODEL}}`]: 1 })
})

it('counts requests in the background that have no reader', async () => {
  const { app, queue, post } = served()
  const { statusCode, headers } = await post({ background: true, max_tokens: 7 })
  expect(statusCode).toBe(202)
  for await (const _ of queue.events(String(headers['x-stream-id']), 0, new AbortController().signal));
  const samples = await scrape(app)
  expect(samples.get(`vllm:generation_tokens_total{${MODEL}}`)).toBe(7)
  expect(samples.get(`vllm:e2e_request_latency_seconds_count{${MODEL}}`)).toBe(1)
})

it('counts requests on a WebSocket', async () => {
  await using served = await openTestApp()
  const socket = await served.connect()
  socket.send({ type: 'completion.create', id: 'a', body: { model: 'tiny', prompt: 'hello', max_tokens: 3 } })
  await socket.until(({ type }) => type === 'done')
  const samples = await scrape(served.app)
  expect(samples.get(`vllm:prompt_tokens_total{${MODEL}}`)).toBe(5)
  expect(samples.get(`vllm:generation_tokens_total{${MODEL}}`)).toBe(3)
  socket.socket.terminate()
})

it('exposes waiting requests, running requests and readers', async () => {
  const { app, queue, post } = served(1)
  const held = String.fromCharCode(TRICKS.hold)
  const answers = [post({ prompt: held, stream: true }), post({ prompt: held, stream: true })]
  const samples = await scrapeUntil(app, of => of.get(`everstream_streams_open{${MODEL}}`) === 2)
  expect(samples.get(`vllm:num_requests_running{${MODEL}}`)).toBe(1)
  expect(samples.get(`vllm:num_requests_waiting{${MODEL}}`)).toBe(1)
  await queue.drain(AbortSignal.abort())
  await Promise.all(answers)
})

it('counts failures by code, and the choices that they ended', async () => {
  const { app, queue, post } = served()
  const answer = post({ prompt: String.fromCharCode(TRICKS.hold), n: 3, stream: true })
  let samples = await scrapeUntil(app, of => of.get(`vllm:generation_tokens_total{${MODEL}}`) !== 0)
  await queue.drain(AbortSignal.abort())
  await answer
  expect(changes(samples, await scrape(app), 'everstream_request_failures')).toEqual({
    [`everstream_request_failures_total{${MODEL},code="unavailable"}`]: 1
  })
  samples = await scrape(app)
  expect(samples.get(`vllm:request_success_total{${MODEL},finished_reason="error"}`)).toBe(3)
})

it('counts refusals by code and responses by declared route, whatever the URL', async () => {
  const { app, post } = served()
  const before = await scrape(app)
  await post({ temperature: 9 })
  await post({ model: 'other' })
  for (const url of ['/secret/1', '/secret/2', '/v1/models/secret']) await app.inject({ url })
  const after = await scrape(app)
  expect(changes(before, after, 'everstream_refusals')).toEqual({
    'everstream_refusals_total{code="invalid_request"}': 1,
    'everstream_refusals_total{code="model_not_found"}': 2
  })
  expect(changes(before, after, 'everstream_http_responses')).toMatchObject({
    'everstream_http_responses_total{route="none",status="404"}': 2,
    'everstream_http_responses_total{route="/v1/completions",status="400"}': 1
  })
  expect([...after.keys()].join()).not.toContain('secret')
  expect(total(after, 'vllm:generation_tokens_total')).toBe(0)
})
