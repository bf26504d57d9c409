import OpenAI from 'openai'
import { expect, it, onTestFinished } from 'vitest'
import { testApp } from '../../server/app-parts.ts'
import { emitting, literalQueue } from '../literal-parts.ts'
import { chatText } from './chat-text.ts'

const TOOLS = [{ type: 'function' as const, function: { name: 'clock', parameters: {} } }]

async function connect(...texts: readonly string[]): Promise<OpenAI> {
  const app = testApp({
    queue: literalQueue(emitting(...texts)),
    text: chatText(),
    card: { servedModelName: 'tiny', contextLength: 500, created: 5, modelHash: null }
  })
  const baseURL = `${await app.listen({ port: 0, host: '127.0.0.1' })}/v1`
  onTestFinished(() => app.close())
  return new OpenAI({ baseURL, apiKey: 'none', maxRetries: 0 })
}

it('works with the chat API of OpenAI’s client, whole and streamed', async () => {
  const client = await connect('Hel', 'lo')
  const body = { model: 'tiny', messages: [{ role: 'user' as const, content: 'hi' }] }
  expect((await client.chat.completions.create(body)).choices[0]?.message.content).toBe('Hello')
  const stream = client.chat.completions.stream(body)
  expect((await stream.finalChatCompletion()).choices[0]).toMatchObject({
    message: { role: 'assistant', content: 'Hello' },
    finish_reason: 'length'
  })
})

it('streams a tool call that OpenAI’s client assembles', async () => {
  const client = await connect('<tool_call>{"name":"clock",', '"arguments":{"zone":"UTC"}}</tool_call>', '')
  const stream = client.chat.completions.stream({ model: 'tiny', messages: [{ role: 'user', content: 'When?' }], tools: TOOLS })
  const message = (await stream.finalChatCompletion()).choices[0]?.message
  expect(message?.tool_calls).toMatchObject([{ type: 'function', function: { name: 'clock', arguments: '{"zone":"UTC"}' } }])
})

it('returns an error that OpenAI’s client understands', async () => {
  const client = await connect('a')
  const refused = client.chat.completions.create({ model: 'tiny', messages: [{ role: 'user', content: 'no' }] })
  await expect(refused).rejects.toMatchObject({ status: 400, param: 'messages' })
})
