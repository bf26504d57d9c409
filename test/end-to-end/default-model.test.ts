import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readStream, readWhole, sseData } from './completion.ts'
import { type Server, startServer } from './start-server.ts'

const MODEL = 'smollm2-135m-instruct'
let server: Server

beforeAll(async () => {
  server = await startServer(['--threads', '1'])
}, 300_000)
afterAll(() => server[Symbol.asyncDispose]())

const whole = async (body: object) => readWhole(await server.post({ model: MODEL, ...body }))
const streamed = async (body: object) => {
  const response = await server.post({ model: MODEL, ...body, stream: true, stream_options: { include_usage: true } })
  const { isDone, error, ...answer } = await readStream(response)
  expect({ isDone, error }).toEqual({ isDone: true, error: null })
  return answer
}

/** Only usage may differ when another request has filled the prefix cache. */
function withoutCached<Answer extends { usage: { prompt_tokens_details: object } | null }>({ usage, ...answer }: Answer) {
  return { ...answer, usage: { ...usage, prompt_tokens_details: null } }
}

const FRANCE = { prompt: 'The capital of France is', max_tokens: 12, return_token_ids: true }
const SEEDED = { prompt: 'Once upon a time there was', max_tokens: 12, temperature: 1, seed: 7, return_token_ids: true }
/** The model continues in the language of the prompt: emoji and ideographs take several tokens each. */
const MULTI_BYTE = { prompt: '🎉🎊 日本の首都は東京です。🎉🎊 日本の首都は', max_tokens: 20, temperature: 0, return_token_ids: true }

describe('a concatenated stream', () => {
  it.each([
    ['greedy', { ...FRANCE, temperature: 0 }],
    ['greedy with log-probabilities', { ...FRANCE, temperature: 0, logprobs: 3 }],
    ['seeded', SEEDED],
    ['two choices, seeded, with log-probabilities', { ...SEEDED, n: 2, logprobs: 2 }],
    ['filtered and penalised', { ...SEEDED, top_p: 0.9, top_k: 40, presence_penalty: 0.5, frequency_penalty: 0.5 }],
    ['stopped by a string', { ...FRANCE, temperature: 0, stop: ['\n\n'], logprobs: 1 }],
    ['stopped by a string that never comes', { ...FRANCE, temperature: 0, stop: ['does not occur'] }],
    ['with the prompt', { ...FRANCE, temperature: 0, echo: true, logprobs: 2 }],
    ['the prompt alone', { ...FRANCE, max_tokens: 0, echo: true, logprobs: 2 }],
    ['two prompts', { ...SEEDED, prompt: ['A cat is', 'The sky over the sea is'], n: 2 }],
    ['characters of many bytes', { ...MULTI_BYTE, logprobs: 1 }],
    ['equal choices', { ...FRANCE, temperature: 0, n: 3, logprobs: 1 }],
    ['typical and repetition penalty', { ...SEEDED, typical_p: 0.8, repetition_penalty: 1.3, min_p: 0.01 }],
    ['bans', { ...SEEDED, bad_words: ['a', 'the', 'girl'], min_tokens: 8, stop: 'e' }],
    ['stopped by a string that is included', { ...FRANCE, temperature: 0, stop: 'Paris', include_stop_str_in_output: true, logprobs: 0 }],
    ['stopped by a token', { ...FRANCE, temperature: 0, stop_token_ids: [30, 198] }],
    ['scores of certain tokens, by their ids', { ...SEEDED, logprob_token_ids: [30, 198], return_tokens_as_token_ids: true }],
    ['seeded characters of many bytes', { ...MULTI_BYTE, temperature: 1.2, seed: 3 }]
  ])('equals the answer that is not streamed: %s', async (_name, body) => {
    const [expected, found] = await Promise.all([whole(body), streamed(body)])
    expect(expected.choices.map(({ text }) => text.length).every(length => length > 0)).toBe(true)
    expect(withoutCached(found)).toEqual(withoutCached(expected))
  })

  it('never contains half a character', async () => {
    const { choices } = await streamed({ ...MULTI_BYTE, max_tokens: 40 })
    expect(choices[0]?.text).toMatch(/\p{Script=Han}/u)
    expect(choices[0]?.text).not.toContain('\ufffd')
  })

  it('has the offset of each token in the text', async () => {
    const { choices } = await whole({ ...SEEDED, echo: true, logprobs: 0 })
    const { text = '', logprobs } = choices[0] ?? {}
    const offsets = logprobs?.text_offset ?? []
    const cut = offsets.map((from, index) => text.slice(from, offsets[index + 1] ?? text.length))
    expect(cut).toEqual(logprobs?.tokens)
  })

  it('reports the number of tokens sent in its usage', async () => {
    const { choices, usage } = await streamed({ ...SEEDED, n: 2, ignore_eos: true })
    expect(choices.map(({ token_ids }) => token_ids.length)).toEqual([12, 12])
    expect(usage).toMatchObject({ prompt_tokens: choices[0]?.prompt_token_ids?.length, completion_tokens: 24 })
    expect(usage?.total_tokens).toBe((usage?.prompt_tokens ?? 0) + 24)
  })
})

describe('a seed', () => {
  it('gives the same text every time, alone or among others', async () => {
    const alone = await whole(SEEDED)
    const others = ['Dogs are', 'The moon', 'To cook rice you', '1, 2, 3,'].map(prompt => whole({ ...SEEDED, prompt }))
    const [among] = await Promise.all([whole(SEEDED), ...others])
    expect(among?.choices).toEqual(alone.choices)
  })

  it('decides the text: other seeds give other texts', async () => {
    const answers = await Promise.all([1, 2, 3, 4].map(seed => whole({ ...SEEDED, seed })))
    expect(new Set(answers.map(({ choices }) => choices[0]?.text)).size).toBe(4)
  })

  it('is chosen at random where the request has none', async () => {
    const { seed: _, ...body } = SEEDED
    const answers = await Promise.all([whole(body), whole(body)])
    expect(new Set(answers.map(({ choices }) => choices[0]?.text)).size).toBe(2)
  })

  it('gives four choices that differ, and the same four choices again', async () => {
    const [first, second] = await Promise.all([whole({ ...SEEDED, n: 4 }), whole({ ...SEEDED, n: 4 })])
    expect(second.choices).toEqual(first.choices)
    expect(new Set(first.choices.map(({ text }) => text)).size).toBe(4)
  })
})

describe('a stop string', () => {
  const STORY = { prompt: 'Once upon a time there was a little girl', max_tokens: 40, temperature: 0, return_token_ids: true }

  it('ends the text before its first occurrence, wherever tokens begin', async () => {
    const { choices } = await whole(STORY)
    const text = choices[0]?.text ?? ''
    const cuts = Array.from({ length: 12 }, (_, index) => text.slice(2 + index * 7, 2 + index * 7 + 1 + (index % 6)))
    expect(text.length).toBeGreaterThan(2 + 12 * 7)
    const stopped = await Promise.all(cuts.map(stop => whole({ ...STORY, stop })))
    expect(stopped.map(answer => answer.choices[0]?.text)).toEqual(cuts.map(stop => text.slice(0, text.indexOf(stop))))
    expect(stopped.map(answer => answer.choices[0]?.stop_reason)).toEqual(cuts)
    expect(stopped.every(answer => answer.choices[0]?.finish_reason === 'stop')).toBe(true)
  })

  it('ends the text at the earliest of several', async () => {
    const text = (await whole(STORY)).choices[0]?.text ?? ''
    const stops = [text.slice(60, 64), text.slice(25, 31), 'does not occur']
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

  it('changes no answer, and is used only by requests with the same salt', async () => {
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

describe('a cancelled request', () => {
  it('changes the text of no other request', async () => {
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
  it('has the same scores as the prompt of a completion', async () => {
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
