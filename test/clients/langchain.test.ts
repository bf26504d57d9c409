import { HumanMessage, SystemMessage } from '@langchain/core/messages'
import { ChatOpenAI, OpenAI } from '@langchain/openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Server } from '../end-to-end/start-server.ts'
import { collect } from '../queue/read-all.ts'
import { ENDLESS_TOKENS, failureOf, KEY, MODEL, startFullServer, startSimulated } from './simulated-server.ts'

let server: Server
beforeAll(async () => {
  server = await startSimulated()
})
afterAll(() => server[Symbol.asyncDispose]())

const fields = (baseURL = `${server.url}/v1`) => ({
  model: MODEL,
  apiKey: KEY,
  configuration: { baseURL },
  maxTokens: 6,
  temperature: 1,
  maxRetries: 0
})

describe('LangChain’s OpenAI', () => {
  const model = (changes: object = {}) => new OpenAI({ ...fields(), modelKwargs: { seed: 7 }, ...changes })

  it('returns from invoke the text that it streams', async () => {
    const whole = await model().invoke('Once upon a time')
    const texts = await collect(await model().stream('Once upon a time'))
    expect(texts.length).toBeGreaterThan(1)
    expect(texts.join('')).toBe(whole)
  })

  it('sends several prompts in one request, gets n texts of each, and reports their usage', async () => {
    const { generations, llmOutput } = await model({ n: 2, batchSize: 2 }).generate(['One', 'Two'])
    expect(generations.map(choices => choices.length)).toEqual([2, 2])
    expect(new Set(generations.flat().map(({ text }) => text)).size).toBe(4)
    expect(llmOutput?.['tokenUsage']).toMatchObject({ promptTokens: 6, completionTokens: 24, totalTokens: 30 })
  })

  it('ends the text before a stop string', async () => {
    const stop = (await model().invoke('Once upon a time')).slice(8, 12)
    expect(await model().invoke('Once upon a time', { stop: [stop] })).not.toContain(stop)
  })
})

describe('LangChain’s ChatOpenAI', () => {
  const model = (changes: object = {}) => new ChatOpenAI({ ...fields(), modelKwargs: { seed: 7 }, streamUsage: true, ...changes })
  const MESSAGES = [new SystemMessage('Be brief.'), new HumanMessage('Tell me a story')]

  it('returns from invoke the text that it streams, with the same usage', async () => {
    const whole = await model().invoke(MESSAGES)
    expect(whole.usage_metadata).toMatchObject({ output_tokens: 6 })
    expect(whole.response_metadata['finish_reason']).toBe('length')
    const chunks = await collect(await model().stream(MESSAGES))
    expect(chunks.map(({ text }) => text).join('')).toBe(whole.text)
    const joined = chunks.reduce((sofar, chunk) => sofar.concat(chunk))
    expect(joined.usage_metadata).toEqual(whole.usage_metadata)
  })

  it('returns log-probabilities', async () => {
    const { response_metadata } = await model({ logprobs: true, topLogprobs: 2 }).invoke(MESSAGES)
    const logprobs = response_metadata['logprobs'] as { content: { top_logprobs: unknown[] }[] }
    expect(logprobs.content.map(({ top_logprobs }) => top_logprobs.length)).toEqual([2, 2, 2, 2, 2, 2])
  })

  it('aborts, and the server cancels the request', async () => {
    const from = server.log().length
    const leaving = new AbortController()
    const read = async () => {
      for await (const _ of await model({ maxTokens: ENDLESS_TOKENS }).stream(MESSAGES, { signal: leaving.signal })) leaving.abort()
    }
    expect(await failureOf(read())).toBeInstanceOf(Error)
    await server.logged(line => line['outcome'] === 'cancelled', from)
  })

  it.each([
    { what: 'a wrong value', changes: { temperature: 9 }, status: 400 },
    { what: 'a wrong key', changes: { apiKey: 'another' }, status: 401 },
    { what: 'a model that is not served', changes: { model: 'gpt-4o' }, status: 404 }
  ])('gets the status of $what', async ({ changes, status }) => {
    expect(await failureOf(model(changes).invoke(MESSAGES))).toMatchObject({ status })
  })

  it('retries while the server is full, until there is room', async () => {
    await using full = await startFullServer()
    const requested = new ChatOpenAI({ ...fields(full.baseUrl), maxRetries: 4 }).invoke(MESSAGES)
    await full.makeRoomAfterRefusal(0)
    expect((await requested).response_metadata['finish_reason']).toBe('length')
  })
})
