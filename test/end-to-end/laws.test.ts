import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readWhole, sseData } from './completion.ts'
import { type Server, startServer } from './start-server.ts'

const MODEL = 'smollm2-135m-instruct'
let server: Server

beforeAll(async () => {
  server = await startServer(['--threads', '1'])
}, 300_000)
afterAll(() => server[Symbol.asyncDispose]())

const whole = async (body: object) => readWhole(await server.post({ model: MODEL, ...body }))

describe('a stop string', () => {
  const STORY = { prompt: 'Once upon a time there was a little girl', max_tokens: 40, temperature: 0, return_token_ids: true }

  it('cuts the text where a hand would, wherever tokens fall', async () => {
    const { choices } = await whole(STORY)
    const text = choices[0]?.text ?? ''
    const cuts = Array.from({ length: 12 }, (_, index) => text.slice(2 + index * 7, 2 + index * 7 + 1 + (index % 6)))
    expect(text.length).toBeGreaterThan(2 + 12 * 7)
    const stopped = await Promise.all(cuts.map(stop => whole({ ...STORY, stop })))
    expect(stopped.map(answer => answer.choices[0]?.text)).toEqual(cuts.map(stop => text.slice(0, text.indexOf(stop))))
    expect(stopped.map(answer => answer.choices[0]?.stop_reason)).toEqual(cuts)
    expect(stopped.every(answer => answer.choices[0]?.finish_reason === 'stop')).toBe(true)
  })

  it('takes the earliest of several', async () => {
    const text = (await whole(STORY)).choices[0]?.text ?? ''
    const stops = [text.slice(60, 64), text.slice(25, 31), 'never to be seen']
    const cut = Math.min(...stops.map(stop => text.indexOf(stop)).filter(at => at >= 0))
    expect((await whole({ ...STORY, stop: stops })).choices[0]?.text).toBe(text.slice(0, cut))
  })
})

describe('a cached prefix', () => {
  const words = Array.from({ length: 200 }, (_, index) => ['red', 'green', 'blue', 'white'][(index * index) % 4]).join(' ')
  const LONG = {
    prompt: `List of colours: ${words}`,
    max_tokens: 12,
    temperature: 0,
    logprobs: 2,
    return_token_ids: true,
    cache_salt: 'mine'
  }

  it('changes nothing but the time, and is its owner’s alone', async () => {
    const first = await whole(LONG)
    const again = await whole(LONG)
    const other = await whole({ ...LONG, cache_salt: 'theirs' })
    expect(first.usage?.prompt_tokens).toBeGreaterThan(200)
    expect(again.usage?.prompt_tokens_details.cached_tokens).toBeGreaterThan(100)
    expect([first, other].map(({ usage }) => usage?.prompt_tokens_details.cached_tokens)).toEqual([0, 0])
    expect(again.choices).toEqual(first.choices)
    expect(other.choices).toEqual(first.choices)
  })
})

describe('a neighbour that is cancelled', () => {
  it('changes no other text', async () => {
    const body = { prompt: 'My favourite season is', max_tokens: 40, temperature: 0.8, seed: 11, logprobs: 1, return_token_ids: true }
    const alone = await whole(body)
    const from = server.log().length
    const leaving = [1, 2, 3].map(async seed => {
      const gone = new AbortController()
      const request = { model: MODEL, prompt: 'Tell me of the sea:', max_tokens: 500, ignore_eos: true, seed, stream: true }
      const stream = sseData(await server.post(request, { signal: gone.signal }))
      for (let chunk = 0; chunk < 5 * seed; chunk++) await stream.next()
      gone.abort()
    })
    const [among] = await Promise.all([whole(body), ...leaving])
    expect(among?.choices).toEqual(alone.choices)
    await server.logged(line => line['outcome'] === 'cancelled', from)
  })
})

describe('a prompt that is only scored', () => {
  it('has the scores that it has before a completion', async () => {
    const body = { prompt: 'The quick brown fox jumps over the lazy dog.', echo: true, logprobs: 3, temperature: 0, return_token_ids: true }
    const [scored, completed] = [await whole({ ...body, max_tokens: 0 }), await whole({ ...body, max_tokens: 6 })]
    const prompt = scored.choices[0]?.logprobs
    const longer = completed.choices[0]?.logprobs
    const tokens = prompt?.tokens.length ?? 0
    expect(scored.choices[0]?.text).toBe(body.prompt)
    expect(tokens).toBe(scored.usage?.prompt_tokens)
    expect(scored.usage?.completion_tokens).toBe(0)
    expect(longer?.token_logprobs.slice(0, tokens)).toEqual(prompt?.token_logprobs)
    expect(longer?.top_logprobs?.slice(0, tokens)).toEqual(prompt?.top_logprobs)
    expect(longer?.text_offset.slice(0, tokens)).toEqual(prompt?.text_offset)
    expect(prompt?.token_logprobs[0]).toBeNull()
  })
})
