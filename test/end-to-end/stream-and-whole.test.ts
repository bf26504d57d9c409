import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readStream, readWhole } from './completion.ts'
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

/** Of a cache that another request filled, usage may tell; nothing else may. */
function withoutCached<Answer extends { usage: { prompt_tokens_details: object } | null }>({ usage, ...answer }: Answer) {
  return { ...answer, usage: { ...usage, prompt_tokens_details: null } }
}

const FRANCE = { prompt: 'The capital of France is', max_tokens: 12, return_token_ids: true }
const SEEDED = { prompt: 'Once upon a time there was', max_tokens: 12, temperature: 1, seed: 7, return_token_ids: true }
/** The model goes on in the language it is addressed in: emoji and ideographs take several tokens each. */
const MULTI_BYTE = { prompt: '🎉🎊 日本の首都は東京です。🎉🎊 日本の首都は', max_tokens: 20, temperature: 0, return_token_ids: true }

describe('a streamed answer put together', () => {
  it.each([
    ['greedy', { ...FRANCE, temperature: 0 }],
    ['greedy with log-probabilities', { ...FRANCE, temperature: 0, logprobs: 3 }],
    ['seeded', SEEDED],
    ['two choices, seeded, with log-probabilities', { ...SEEDED, n: 2, logprobs: 2 }],
    ['filtered and penalised', { ...SEEDED, top_p: 0.9, top_k: 40, presence_penalty: 0.5, frequency_penalty: 0.5 }],
    ['stopped by a string', { ...FRANCE, temperature: 0, stop: ['\n\n'], logprobs: 1 }],
    ['stopped by a string that never comes', { ...FRANCE, temperature: 0, stop: ['never to be seen'] }],
    ['with the prompt', { ...FRANCE, temperature: 0, echo: true, logprobs: 2 }],
    ['the prompt alone', { ...FRANCE, max_tokens: 0, echo: true, logprobs: 2 }],
    ['two prompts', { ...SEEDED, prompt: ['A cat is', 'The sky over the sea is'], n: 2 }],
    ['characters of many bytes', { ...MULTI_BYTE, logprobs: 1 }],
    ['equal choices', { ...FRANCE, temperature: 0, n: 3, logprobs: 1 }],
    ['typical and repetition penalty', { ...SEEDED, typical_p: 0.8, repetition_penalty: 1.3, min_p: 0.01 }],
    ['bans', { ...SEEDED, bad_words: ['a', 'the', 'girl'], min_tokens: 8, stop: 'e' }],
    ['stopped by a string that stays', { ...FRANCE, temperature: 0, stop: 'Paris', include_stop_str_in_output: true, logprobs: 0 }],
    ['stopped by a token', { ...FRANCE, temperature: 0, stop_token_ids: [30, 198] }],
    ['scores of certain tokens, by their ids', { ...SEEDED, logprob_token_ids: [30, 198], return_tokens_as_token_ids: true }],
    ['seeded characters of many bytes', { ...MULTI_BYTE, temperature: 1.2, seed: 3 }]
  ])('equals the whole one: %s', async (_name, body) => {
    const [expected, found] = await Promise.all([whole(body), streamed(body)])
    expect(expected.choices.map(({ text }) => text.length).every(length => length > 0)).toBe(true)
    expect(withoutCached(found)).toEqual(withoutCached(expected))
  })

  it('never holds half a character', async () => {
    const { choices } = await streamed({ ...MULTI_BYTE, max_tokens: 40 })
    expect(choices[0]?.text).toMatch(/\p{Script=Han}/u)
    expect(choices[0]?.text).not.toContain('\ufffd')
  })

  it('places each token at its offset in the text', async () => {
    const { choices } = await whole({ ...SEEDED, echo: true, logprobs: 0 })
    const { text = '', logprobs } = choices[0] ?? {}
    const offsets = logprobs?.text_offset ?? []
    const cut = offsets.map((from, index) => text.slice(from, offsets[index + 1] ?? text.length))
    expect(cut).toEqual(logprobs?.tokens)
  })

  it('counts what it sent', async () => {
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

  it('decides the text: others give others', async () => {
    const answers = await Promise.all([1, 2, 3, 4].map(seed => whole({ ...SEEDED, seed })))
    expect(new Set(answers.map(({ choices }) => choices[0]?.text)).size).toBe(4)
  })

  it('is drawn anew where none is given', async () => {
    const { seed: _, ...body } = SEEDED
    const answers = await Promise.all([whole(body), whole(body)])
    expect(new Set(answers.map(({ choices }) => choices[0]?.text)).size).toBe(2)
  })

  it('gives four choices that differ, and the same four again', async () => {
    const [first, second] = await Promise.all([whole({ ...SEEDED, n: 4 }), whole({ ...SEEDED, n: 4 })])
    expect(second.choices).toEqual(first.choices)
    expect(new Set(first.choices.map(({ text }) => text)).size).toBe(4)
  })
})
