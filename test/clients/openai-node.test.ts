import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Server } from '../end-to-end/start-server.ts'
import { ENDLESS_TOKENS, failureOf, KEY, MODEL, startFullServer, startSimulated, untilBusy } from './simulated-server.ts'

const REQUESTED = { model: MODEL, prompt: 'Once upon a time', max_tokens: 6, seed: 7 }
const ENDLESS = { ...REQUESTED, max_tokens: ENDLESS_TOKENS, stream: true } as const
let server: Server
let client: OpenAI

beforeAll(async () => {
  server = await startSimulated(['--max-context', '8192'])
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: KEY, maxRetries: 0 })
})
afterAll(() => server[Symbol.asyncDispose]())

describe('completions', () => {
  it('gives the same text whole and streamed, with the same usage', async () => {
    const whole = await client.completions.create(REQUESTED)
    expect(whole).toMatchObject({
      object: 'text_completion',
      model: MODEL,
      choices: [{ index: 0, finish_reason: 'length', logprobs: null }],
      usage: { prompt_tokens: 16, completion_tokens: 6, total_tokens: 22 }
    })
    let text = ''
    let usage: unknown = null
    const stream = await client.completions.create({ ...REQUESTED, stream: true, stream_options: { include_usage: true } })
    for await (const chunk of stream) {
      text += chunk.choices[0]?.text ?? ''
      usage = chunk.usage ?? usage
    }
    expect(text).toBe(whole.choices[0]?.text)
    expect(usage).toEqual(whole.usage)
  })

  it('gives each of n choices for each prompt its index and its own text', async () => {
    const { choices, usage } = await client.completions.create({ ...REQUESTED, prompt: ['One', 'Two'], n: 3 })
    expect(choices.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5])
    expect(new Set(choices.map(({ text }) => text)).size).toBe(6)
    expect(usage).toMatchObject({ prompt_tokens: 6, completion_tokens: 36 })
  })

  it('ends the text before a stop string, streamed or not', async () => {
    const stop = (await client.completions.create(REQUESTED)).choices[0]?.text.slice(8, 12) ?? ''
    const whole = await client.completions.create({ ...REQUESTED, stop })
    expect(whole.choices[0]?.finish_reason).toBe('stop')
    expect(whole.choices[0]?.text).not.toContain(stop)
    let streamed = ''
    for await (const chunk of await client.completions.create({ ...REQUESTED, stop: [stop], stream: true }))
      streamed += chunk.choices[0]?.text
    expect(streamed).toBe(whole.choices[0]?.text)
  })

  it('returns scores of the prompt and of the text in four lists of equal length', async () => {
    const { choices } = await client.completions.create({ ...REQUESTED, logprobs: 2, echo: true })
    const logprobs = choices[0]?.logprobs
    const lengths = [logprobs?.tokens, logprobs?.token_logprobs, logprobs?.top_logprobs, logprobs?.text_offset].map(list => list?.length)
    expect(lengths).toEqual([22, 22, 22, 22])
    expect(logprobs?.tokens?.join('')).toBe(choices[0]?.text)
    expect(logprobs?.token_logprobs?.[0]).toBeNull()
  })

  it('accepts token ids, for one prompt or several', async () => {
    const text = async (prompt: number[] | number[][] | string) =>
      (await client.completions.create({ ...REQUESTED, prompt })).choices[0]?.text
    expect(await text([72, 105])).toBe(await text('Hi'))
    expect(await text([[72, 105], [72]])).toBe(await text('Hi'))
  })
})

describe('chat completions', () => {
  const CHAT = { model: MODEL, messages: [{ role: 'user', content: 'Tell me a story' }], max_completion_tokens: 6, seed: 7 } as const
  const chat = { ...CHAT, messages: [...CHAT.messages] }

  it('give the same text whole and streamed, with the same usage', async () => {
    const whole = await client.chat.completions.create(chat)
    expect(whole).toMatchObject({
      object: 'chat.completion',
      choices: [{ index: 0, finish_reason: 'length', message: { role: 'assistant', refusal: null } }]
    })
    let text = ''
    let usage: unknown = null
    for await (const chunk of await client.chat.completions.create({ ...chat, stream: true, stream_options: { include_usage: true } })) {
      text += chunk.choices[0]?.delta.content ?? ''
      usage = chunk.usage ?? usage
    }
    expect(text).toBe(whole.choices[0]?.message.content)
    expect(usage).toEqual(whole.usage)
  })

  it('are assembled by the stream helper to the same object as a whole response, with n choices, a stop and logprobs', async () => {
    const requested = { ...chat, n: 2, logprobs: true, top_logprobs: 2, stop: ['ß'] }
    const whole = await client.chat.completions.create(requested)
    const streamed = await client.chat.completions.stream(requested).finalChatCompletion()
    expect(streamed.choices.map(({ message, finish_reason, logprobs }) => [message.content, finish_reason, logprobs?.content])).toEqual(
      whole.choices.map(({ message, finish_reason, logprobs }) => [message.content, finish_reason, logprobs?.content])
    )
    expect(whole.choices[0]?.logprobs?.content?.[0]).toMatchObject({ token: expect.any(String), logprob: expect.any(Number) })
    expect(whole.choices[0]?.logprobs?.content?.[0]?.top_logprobs).toHaveLength(2)
  })
})

describe('models', () => {
  it('are listed in pages, and found by name', async () => {
    const names: string[] = []
    for await (const { id } of client.models.list()) names.push(id)
    expect(names).toEqual([MODEL])
    expect(await client.models.retrieve(MODEL)).toMatchObject({ id: MODEL, object: 'model', owned_by: 'everstream' })
    expect(await failureOf(client.models.retrieve('another/model'))).toBeInstanceOf(OpenAI.NotFoundError)
  })
})

describe('a disconnect', () => {
  it('by an abort ends the request on the server', async () => {
    const from = server.log().length
    const leaving = new AbortController()
    const stream = await client.completions.create(ENDLESS, { signal: leaving.signal })
    for await (const chunk of stream) {
      expect(chunk.object).toBe('text_completion')
      leaving.abort()
    }
    await server.logged(line => line['outcome'] === 'cancelled', from)
  })

  it('by an abort before a whole response throws APIUserAbortError', async () => {
    const from = server.log().length
    const leaving = new AbortController()
    const failure = failureOf(client.completions.create({ ...ENDLESS, stream: false }, { signal: leaving.signal }))
    await untilBusy(server, { running: 1, waiting: 0 })
    leaving.abort()
    expect(await failure).toBeInstanceOf(OpenAI.APIUserAbortError)
    await server.logged(line => line['outcome'] === 'cancelled', from)
  })

  it('by a timeout of the client throws APIConnectionTimeoutError', async () => {
    const requested = client.completions.create({ ...ENDLESS, stream: false }, { timeout: 50 })
    expect(await failureOf(requested)).toBeInstanceOf(OpenAI.APIConnectionTimeoutError)
  })
})

describe('errors', () => {
  const wrong = (body: object) =>
    failureOf(client.completions.create({ ...REQUESTED, ...body } as OpenAI.CompletionCreateParamsNonStreaming))

  it.each([
    { what: 'a value out of range', body: { temperature: 9 }, facts: { param: 'temperature' } },
    { what: 'a wrong type', body: { prompt: { text: 'Hi' } }, facts: { param: 'prompt' } },
    { what: 'a prompt beyond the context', body: { max_tokens: 9000 }, facts: { code: 'context_length_exceeded' } }
  ])('are a BadRequestError that names the mistake: $what', async ({ body, facts }) => {
    const error = await wrong(body)
    expect(error).toBeInstanceOf(OpenAI.BadRequestError)
    expect(error).toMatchObject({ status: 400, type: 'invalid_request_error', requestID: expect.stringMatching(/^req_/), ...facts })
  })

  it('are a NotFoundError for a model that is not served, also in chat', async () => {
    const chat = () => client.chat.completions.create({ model: 'gpt-5', messages: [{ role: 'user', content: 'Hi' }] })
    for (const error of [await wrong({ model: 'gpt-5' }), await failureOf(chat())]) {
      expect(error).toBeInstanceOf(OpenAI.NotFoundError)
      expect(error).toMatchObject({ code: 'model_not_found' })
    }
  })

  it('are an AuthenticationError for a wrong key', async () => {
    const error = await failureOf(client.withOptions({ apiKey: 'another' }).completions.create(REQUESTED))
    expect(error).toBeInstanceOf(OpenAI.AuthenticationError)
    expect(error).toMatchObject({ status: 401, code: 'invalid_api_key' })
  })

  it('are an APIError in the middle of a stream, after the chunks that were sent before', async () => {
    const stream = await client.completions.create(ENDLESS, { headers: { 'x-request-timeout-ms': '300' } })
    const texts: string[] = []
    const read = async () => {
      for await (const chunk of stream) texts.push(chunk.choices[0]?.text ?? '')
    }
    const error = await failureOf(read())
    expect(error).toBeInstanceOf(OpenAI.APIError)
    expect(error).toMatchObject({ code: 'deadline_exceeded', type: 'timeout_error' })
    expect(texts.length).toBeGreaterThan(0)
  })
})

describe('a full server', () => {
  it('gives an InternalServerError 503 without retries; with retries the client succeeds once there is room', async () => {
    await using full = await startFullServer()
    const retrying = new OpenAI({ baseURL: full.baseUrl, apiKey: KEY, maxRetries: 3 })
    const error = await failureOf(retrying.completions.create(REQUESTED, { maxRetries: 0 }))
    expect(error).toBeInstanceOf(OpenAI.InternalServerError)
    expect(error).toMatchObject({ status: 503, code: 'server_is_overloaded' })
    const requested = retrying.completions.create(REQUESTED)
    await full.makeRoomAfterRefusal(full.server.log().length)
    expect((await requested).choices[0]?.finish_reason).toBe('length')
  })
})
