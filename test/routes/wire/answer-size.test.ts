import { expect, it } from 'vitest'
import { LIMITS } from '../../../src/inference/contract/limits.ts'
import { testApp } from '../../server/app-parts.ts'
import { chatText } from '../chat/chat-text.ts'
import { CARD, emitting, literalQueue } from '../literal-parts.ts'
import { openTestApp } from '../socket/a-socket.ts'

const CONTEXT = 200_000
const ids = (count: number) => Array(count).fill(65)
const MESSAGES = [{ role: 'user', content: 'x'.repeat(990) }]

async function ask(url: string, body: object) {
  const queue = literalQueue(emitting('a'))
  const app = testApp({ text: chatText(), queue, card: { ...CARD, contextLength: CONTEXT } })
  const response = await app.inject({ method: 'POST', url, payload: { model: 'tiny', ...body } })
  return { response, request: queue.submitted[0] }
}

/** Requests at the bound with `max_tokens` tokens, and beyond it with one more. */
const AT_THE_BOUND = [
  { url: '/v1/completions', body: { prompt: ids(8), n: 128 }, max: LIMITS.answerEntries / 128, states: '128 × 6145 × 1' },
  { url: '/v1/completions', body: { prompt: ids(8), n: 128, temperature: 0 }, max: 6144, states: '128 × 6145 × 1' },
  { url: '/v1/completions', body: { prompt: ids(8), n: 1, best_of: 128 }, max: 6144, states: '128 × 6145 × 1' },
  { url: '/v1/completions', body: { prompt: [ids(1), ids(2)], n: 32, logprobs: 11 }, max: 1024, states: '64 × 1025 × 12' },
  { url: '/v1/completions', body: { prompt: ids(8), n: 64, logprob_token_ids: [1, 2] }, max: 4096, states: '64 × 4097 × 3' },
  {
    url: '/v1/completions',
    body: { prompt: [ids(1000), ids(24)], n: 32, echo: true, logprobs: 5, prompt_logprobs: 3, return_token_ids: true },
    max: Math.floor((LIMITS.answerEntries - 32 * 1024 * (6 + 4 + 1)) / (64 * 6)),
    states: '32 × 1024 × 6 + 32 × 1024 × 4 + 32 × 1024 × 1'
  },
  { url: '/v1/chat/completions', body: { messages: MESSAGES, n: 128 }, max: 6144, states: '128 × 6145 × 1' },
  {
    url: '/v1/chat/completions',
    body: { messages: MESSAGES, n: 32, logprobs: true, top_logprobs: 11 },
    max: 2048,
    states: '32 × 2049 × 12'
  },
  { url: '/v1/chat/completions', body: { messages: MESSAGES, n: 32, logprob_token_ids: [1, 2] }, max: 8192, states: '32 × 8193 × 3' },
  {
    url: '/v1/chat/completions',
    body: { messages: MESSAGES, n: 64, prompt_logprobs: 20, return_token_ids: true },
    max: Math.floor((LIMITS.answerEntries - 1000 * 22) / 64),
    states: '1 × 1000 × 21 + 1 × 1000 × 1'
  }
].flatMap(one => [one, { ...one, url: `${one.url}/render` }])

it.each(AT_THE_BOUND)(
  '$url allows at most 786,432 tokens and alternatives over all choices: $states',
  async ({ url, body, max, states }) => {
    const taken = await ask(url, { ...body, max_tokens: max })
    expect(taken.response.statusCode, taken.response.body.slice(0, 500)).toBe(200)
    const { response, request } = await ask(url, { ...body, max_tokens: max + 1 })
    expect(response.statusCode).toBe(400)
    const { message } = response.json().error
    for (const word of [states, 'at most 786432', 'choices × tokens × (1 + alternatives)']) expect(message).toContain(word)
    expect(request).toBeUndefined()
  }
)

it('limits a chat without a requested length to the maximum size of a response', async () => {
  const lengthOf = async (body: object) => (await ask('/v1/chat/completions', { messages: MESSAGES, ...body })).request?.maxNewTokens
  expect(await lengthOf({})).toBe(CONTEXT - 1000)
  expect(await lengthOf({ n: 128 })).toBe(6144)
  expect(await lengthOf({ logprobs: true, top_logprobs: 20 })).toBe(Math.floor(LIMITS.answerEntries / 21))
})

it('names the length field if one choice is too long', async () => {
  const completion = await ask('/v1/completions', { prompt: 'a', max_tokens: 40_000, logprobs: 20 })
  const chat = await ask('/v1/chat/completions', { messages: MESSAGES, max_tokens: 40_000, logprobs: true, top_logprobs: 20 })
  for (const { response } of [completion, chat]) expect(response.json().error).toMatchObject({ param: 'max_tokens' })
})

it('refuses the same requests on a WebSocket as with a POST', async () => {
  await using testApp = await openTestApp(4, undefined, { text: chatText(), card: { ...CARD, contextLength: CONTEXT } })
  const client = await testApp.connect()
  client.send({ type: 'completion.create', id: 'a', body: { model: 'tiny', prompt: 'a', n: 128, max_tokens: 1000, logprobs: 20 } })
  client.send({ type: 'chat.create', id: 'b', body: { model: 'tiny', messages: MESSAGES, n: 128, max_tokens: 7000 } })
  for (const id of ['a', 'b']) {
    const { error } = await client.until(message => message['type'] === 'error' && message['id'] === id)
    expect(error).toMatchObject({ param: 'n', message: expect.stringContaining('at most 786432') })
  }
})
