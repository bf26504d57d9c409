import { expect, it } from 'vitest'
import type { TextPort } from '../../../src/inference/contract/text-port.ts'
import { testApp } from '../../server/app-parts.ts'
import { chatText } from '../chat/chat-text.ts'
import { openTestApp } from '../socket/a-socket.ts'

/** A model whose tokens have four characters at most, and which counts the texts that it tokenizes. */
function countingText() {
  const chat = chatText()
  let encoded = 0
  const text: TextPort = {
    ...chat,
    leastTokens: (one, enough) => Math.min(enough, Math.ceil(one.length / 4)),
    encode: async (one, options) => {
      encoded++
      return (await chat.encode(one, options)).slice(0, 60)
    }
  }
  return { text, encodedTexts: () => encoded }
}

const LONG = 'x'.repeat(4 * 64)
const chat = (content: string) => ({ messages: [{ role: 'user', content }] })

it.each([
  { url: '/v1/completions', body: { prompt: LONG }, least: 'at least 64 in your prompt; 16 for the completion' },
  { url: '/v1/completions', body: { prompt: ['a', LONG], max_tokens: 3 }, least: 'at least 64 in your prompt; 3 for the completion' },
  { url: '/v1/completions', body: { prompt: `${LONG}x`, max_tokens: 0 }, least: 'at least 65 in your prompt; 0 for the completion' },
  { url: '/v1/completions/render', body: { prompt: LONG }, least: 'at least 64 in your prompt; 16 for the completion' },
  { url: '/v1/chat/completions', body: chat(LONG), least: 'at least 65 in the messages, 1 in the completion' },
  { url: '/v1/chat/completions/render', body: chat(LONG), least: 'at least 65 in the messages, 1 in the completion' }
])('$url refuses a text that cannot fit the context before it tokenizes it: $least', async ({ url, body, least }) => {
  const { text, encodedTexts } = countingText()
  const response = await testApp({ text }).inject({ method: 'POST', url, payload: { model: 'tiny', ...body } })
  expect(response.statusCode).toBe(400)
  expect(response.json().error).toMatchObject({ code: 'context_length_exceeded', message: expect.stringContaining(least) })
  expect(encodedTexts()).toBe(0)
})

it('a WebSocket refuses such a text, too', async () => {
  const { text, encodedTexts } = countingText()
  await using testApp = await openTestApp(4, undefined, { text })
  const client = await testApp.connect()
  client.send({ type: 'completion.create', id: 'a', body: { model: 'tiny', prompt: LONG } })
  await client.until(message => message['type'] === 'error')
  expect(client.of('a')).toMatchObject([{ type: 'error', error: { code: 'context_length_exceeded' } }])
  expect(encodedTexts()).toBe(0)
})

it.each([
  { url: '/v1/completions', body: { prompt: LONG.slice(0, 4 * 63), max_tokens: 1 } },
  { url: '/v1/completions', body: { prompt: LONG, max_tokens: 0 } },
  { url: '/v1/completions', body: { prompt: LONG.repeat(9), truncate_prompt_tokens: 5 } },
  { url: '/v1/completions', body: { prompt: LONG.repeat(9), truncate_prompt_tokens: -1 } },
  { url: '/tokenize', body: { prompt: LONG.repeat(9) } },
  { url: '/tokenize', body: chat(LONG) }
])('$url accepts a text that may fit, is truncated to fit, or need not fit', async ({ url, body }) => {
  const { text } = countingText()
  const response = await testApp({ text }).inject({ method: 'POST', url, payload: { model: 'tiny', ...body } })
  expect(response.statusCode, response.body).toBe(200)
})
