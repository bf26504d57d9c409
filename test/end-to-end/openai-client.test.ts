import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readError, readWhole } from './completion.ts'
import { type Server, startServer } from './start-server.ts'

const MODEL = 'smollm2-135m-instruct'
const KEY = 'a-key-of-the-test'
const FRANCE = { model: MODEL, prompt: 'The capital of France is', max_tokens: 4, temperature: 0 }
let server: Server
let client: OpenAI

beforeAll(async () => {
  server = await startServer(['--threads', '1', '--max-context', '256'], { API_KEY: KEY })
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: KEY, maxRetries: 0 })
}, 300_000)
afterAll(() => server[Symbol.asyncDispose]())

describe('the openai client', () => {
  it('reads a completion that is not streamed', async () => {
    const completion = await client.completions.create(FRANCE)
    expect(completion).toMatchObject({ object: 'text_completion', model: MODEL, usage: { prompt_tokens: 5, completion_tokens: 4 } })
    expect(completion.choices[0]?.text).toMatch(/^ Paris/)
  })

  it('reads the same text as a stream', async () => {
    const whole = await client.completions.create(FRANCE)
    const texts: string[] = []
    let finish: string | null = null
    for await (const chunk of await client.completions.create({ ...FRANCE, stream: true })) {
      texts.push(chunk.choices[0]?.text ?? '')
      finish = chunk.choices[0]?.finish_reason ?? finish
    }
    expect(texts.length).toBeGreaterThan(1)
    expect(texts.join('')).toBe(whole.choices[0]?.text)
    expect(finish).toBe('length')
  })

  it('aborts a stream, and the server cancels the request', async () => {
    const from = server.log().length
    for await (const _ of await client.completions.create({ ...FRANCE, max_tokens: 240, stream: true })) break
    await server.logged(line => line['outcome'] === 'cancelled', from)
  })

  it('lists the model', async () => {
    const models = await client.models.list()
    expect(models.data.map(({ id }) => id)).toEqual([MODEL])
    expect(await client.models.retrieve(MODEL)).toMatchObject({ id: MODEL, object: 'model' })
  })

  it('throws NotFoundError for a model that is not served', async () => {
    const error = await failureOf(client.completions.create({ ...FRANCE, model: 'gpt-5' }))
    expect(error).toBeInstanceOf(OpenAI.NotFoundError)
    expect(error).toMatchObject({ status: 404, code: 'model_not_found' })
  })

  it('throws BadRequestError with both numbers for a prompt longer than the context', async () => {
    const error = await failureOf(client.completions.create({ ...FRANCE, prompt: Array.from({ length: 300 }, () => 504) }))
    expect(error).toBeInstanceOf(OpenAI.BadRequestError)
    expect(error).toMatchObject({ status: 400, code: 'context_length_exceeded', message: expect.stringMatching(/256.*300|300.*256/) })
  })

  it('throws BadRequestError that names a field of the wrong type', async () => {
    const error = await failureOf(client.completions.create({ ...FRANCE, temperature: 9 }))
    expect(error).toBeInstanceOf(OpenAI.BadRequestError)
    expect(error).toMatchObject({ param: 'temperature' })
  })

  it('throws AuthenticationError for a wrong key', async () => {
    const other = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'another', maxRetries: 0 })
    expect(await failureOf(other.completions.create(FRANCE))).toBeInstanceOf(OpenAI.AuthenticationError)
  })
})

describe('a server with a key', () => {
  it('answers 401 without it, and 200 with it', async () => {
    expect(await readError(await server.post(FRANCE))).toMatchObject({ status: 401, code: 'invalid_api_key' })
    const response = await server.post(FRANCE, { key: KEY })
    expect(response.status).toBe(200)
    expect((await readWhole(response)).choices).toHaveLength(1)
  })

  it('never logs the key, a prompt or a text', async () => {
    const secret = 'Zanzibar'
    await readWhole(await server.post({ ...FRANCE, prompt: `${secret} is an island, and ${secret}`, echo: true }, { key: KEY }))
    const output = [...server.stdout, ...server.stderr].join('\n')
    expect(output).not.toContain(secret)
    expect(output).not.toContain(KEY)
  })
})

async function failureOf(promise: PromiseLike<unknown>): Promise<unknown> {
  return await promise.then(
    () => null,
    (error: unknown) => error
  )
}
