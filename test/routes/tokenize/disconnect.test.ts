import { expect, it, onTestFinished } from 'vitest'
import type { TextPort, TextWait } from '../../../src/inference/contract/text-port.ts'
import { testApp } from '../../server/app-parts.ts'
import { chatText } from '../chat/chat-text.ts'
import { CARD } from '../literal-parts.ts'

const MESSAGES = [{ role: 'user', content: 'hi' }]

it.each([
  ['/v1/completions', { prompt: 'hi' }],
  ['/v1/completions/render', { prompt: 'hi' }],
  ['/v1/chat/completions', { messages: MESSAGES }],
  ['/tokenize', { prompt: 'hi' }]
])('%s drops its text work when the client disconnects', async (url, body) => {
  const requested = Promise.withResolvers<AbortSignal | undefined>()
  const gone = Promise.withResolvers<void>()
  async function wait({ signal }: TextWait = {}): Promise<never> {
    requested.resolve(signal)
    signal?.addEventListener('abort', () => gone.resolve(), { once: true })
    await gone.promise
    throw signal?.reason
  }
  const text: TextPort = {
    ...chatText(),
    encode: async (_text, options) => await wait(options),
    renderChat: async (_chat, options) => await wait(options)
  }
  const app = testApp({ text, card: { ...CARD, contextLength: 500 } })
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  onTestFinished(() => app.close())
  const client = new AbortController()
  const headers = { 'content-type': 'application/json' }
  const answer = fetch(origin + url, { method: 'POST', headers, body: JSON.stringify({ model: 'tiny', ...body }), signal: client.signal })
  const signal = await requested.promise
  client.abort()
  await expect(answer).rejects.toThrow()
  await gone.promise
  expect(signal?.aborted).toBe(true)
})
