import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { APICallError, generateText, streamText } from 'ai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Server } from '../end-to-end/start-server.ts'
import { collect } from '../queue/read-all.ts'
import { ENDLESS_TOKENS, failureOf, KEY, MODEL, startFullServer, startSimulated } from './simulated-server.ts'

let server: Server
beforeAll(async () => {
  server = await startSimulated()
})
afterAll(() => server[Symbol.asyncDispose]())

function provider(baseURL: string, apiKey = KEY) {
  return createOpenAICompatible({ name: 'everstream', baseURL, apiKey, includeUsage: true })
}

const KINDS = [
  { kind: 'completions', model: (apiKey?: string) => provider(`${server.url}/v1`, apiKey).completionModel(MODEL) },
  { kind: 'chat completions', model: (apiKey?: string) => provider(`${server.url}/v1`, apiKey).chatModel(MODEL) }
]

describe.each(KINDS)('the AI SDK with $kind', ({ model }) => {
  const REQUESTED = { prompt: 'Tell me a story', maxOutputTokens: 6, seed: 7, temperature: 1, maxRetries: 0 } as const

  it('gives the same text whole and streamed, with the same usage', async () => {
    const whole = await generateText({ model: model(), ...REQUESTED })
    expect(whole).toMatchObject({ finishReason: 'length', usage: { outputTokens: 6 } })
    expect(whole.usage.inputTokens).toBeGreaterThan(0)
    const streamed = streamText({ model: model(), ...REQUESTED })
    const texts = await collect(streamed.textStream)
    expect(texts.length).toBeGreaterThan(1)
    expect(texts.join('')).toBe(whole.text)
    expect(await streamed.usage).toMatchObject({ inputTokens: whole.usage.inputTokens, outputTokens: 6 })
    expect(await streamed.finishReason).toBe('length')
  })

  it('ends the text before a stop string', async () => {
    const stop = (await generateText({ model: model(), ...REQUESTED })).text.slice(8, 12)
    const { text, finishReason } = await generateText({ model: model(), ...REQUESTED, stopSequences: [stop] })
    expect(text).not.toContain(stop)
    expect(finishReason).toBe('stop')
  })

  it('aborts, and the server cancels the request', async () => {
    const from = server.log().length
    const leaving = new AbortController()
    const { textStream } = streamText({ model: model(), ...REQUESTED, maxOutputTokens: ENDLESS_TOKENS, abortSignal: leaving.signal })
    for await (const text of textStream) {
      expect(text).not.toBe('')
      leaving.abort()
    }
    await server.logged(line => line['outcome'] === 'cancelled', from)
  })

  it('gets an error that names the mistake, and that is not retried', async () => {
    const error = await failureOf(generateText({ model: model(), ...REQUESTED, temperature: 9 }))
    expect(error).toBeInstanceOf(APICallError)
    expect(error).toMatchObject({ statusCode: 400, isRetryable: false, message: expect.stringContaining('temperature') })
    const refused = await failureOf(generateText({ model: model('another'), ...REQUESTED }))
    expect(refused).toMatchObject({ statusCode: 401, isRetryable: false })
  })

  it('passes on an error in the middle of a stream, after the chunks that were sent before', async () => {
    const headers = { 'x-request-timeout-ms': '500' }
    const { stream } = streamText({ model: model(), ...REQUESTED, maxOutputTokens: ENDLESS_TOKENS, headers, onError: () => {} })
    const kinds = new Set<string>()
    let failure: unknown = null
    for await (const part of stream) {
      kinds.add(part.type)
      if (part.type === 'error') failure = part.error
    }
    expect(kinds).toContain('text-delta')
    expect(JSON.stringify(failure)).toContain('deadline')
  })
})

describe('the AI SDK at a full server', () => {
  it('retries until there is room', async () => {
    await using full = await startFullServer()
    const requested = generateText({ model: provider(full.baseUrl).chatModel(MODEL), prompt: 'Hi', maxOutputTokens: 3, maxRetries: 4 })
    await full.makeRoomAfterRefusal(0)
    expect((await requested).finishReason).toBe('length')
  })
})
