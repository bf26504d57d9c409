import { expect, it } from 'vitest'
import type { TextPort } from '../../../src/inference/contract/text-port.ts'
import { testApp } from '../../server/app-parts.ts'
import type { LiteralQueue } from '../literal-parts.ts'
import { CARD, emitting, literalQueue, readSse, TEXT } from '../literal-parts.ts'
import { chatText } from './chat-text.ts'

const USER = { role: 'user', content: 'hi' }
const TOOL = { type: 'function', function: { name: 'clock', parameters: {} } }

interface Parts {
  readonly queue?: LiteralQueue
  readonly text?: TextPort
  readonly contextLength?: number
}

async function post(body: object, { queue = literalQueue(emitting('a', 'b')), text = chatText(), contextLength = 500 }: Parts = {}) {
  const app = testApp({ queue, text, card: { ...CARD, contextLength } })
  const payload = { model: 'tiny', messages: [USER], ...body }
  const response = await app.inject({ method: 'POST', url: '/v1/chat/completions', payload })
  return { response, request: queue.submitted[0] }
}

async function prompted(body: object, parts: Parts = {}): Promise<string> {
  const { request, response } = await post(body, parts)
  expect(response.statusCode, response.body).toBe(200)
  return String.fromCharCode(...(request?.prompts[0]?.tokenIds ?? []))
}

it('prompts the model with the conversation as the template renders it', async () => {
  const messages = [
    { role: 'system', content: 'be' },
    USER,
    { role: 'assistant', content: null },
    { role: 'tool', content: 'x', tool_call_id: 'c' }
  ]
  expect(await prompted({ messages })).toBe('<s><system>be<user>hi<assistant><tool>x>')
})

it('begins with exactly one start token, from the template or the tokenizer', async () => {
  expect(await prompted({})).toBe('<s><user>hi>')
  expect(await prompted({ chat_template_kwargs: { start: true } })).toBe('<s><user>hi>')
})

it('converts the role developer to system if the template does not support it', async () => {
  const messages = [{ role: 'developer', content: 'be' }]
  expect(await prompted({ messages })).toBe('<s><system>be>')
  expect(await prompted({ messages }, { text: chatText({ knowsDeveloper: true }) })).toBe('<s><developer>be>')
})

it('joins text parts with line breaks', async () => {
  const content = [
    { type: 'text', text: 'a' },
    { type: 'text', text: 'b' }
  ]
  expect(await prompted({ messages: [{ role: 'user', content }] })).toBe('<s><user>a\nb>')
})

it('passes earlier calls to the template with parsed arguments', async () => {
  const tool_calls = [{ id: 'c', type: 'function', function: { name: 'clock', arguments: '{"zone":"UTC"}' } }]
  expect(await prompted({ messages: [{ role: 'assistant', tool_calls }] })).toContain('"arguments":{"zone":"UTC"}')
})

it('passes tools to the template, unless tool_choice is none', async () => {
  expect(await prompted({ tools: [TOOL] })).toContain('clock')
  expect(await prompted({ tools: [TOOL], tool_choice: 'none' })).not.toContain('clock')
})

it('generates up to the end of the context, or the requested length', async () => {
  const maxOf = async (body: object) => (await post(body, { contextLength: 100 })).request?.maxNewTokens
  expect(await maxOf({})).toBe(100 - '<s><user>hi>'.length)
  expect(await maxOf({ max_tokens: 5 })).toBe(5)
  expect(await maxOf({ max_completion_tokens: 6, max_tokens: 5 })).toBe(6)
})

it('requests the alternatives that the client requests', async () => {
  const topOf = async (body: object) => (await post(body)).request?.topLogprobs
  expect([await topOf({}), await topOf({ logprobs: true }), await topOf({ logprobs: true, top_logprobs: 20 })]).toEqual([null, 0, 20])
})

it.each([{ logprobs: false }, { logprobs: null }, {}])('accepts top_logprobs 0 with %j, because it requests nothing', async body => {
  const { response, request } = await post({ ...body, top_logprobs: 0 })
  expect(response.statusCode).toBe(200)
  expect(request?.topLogprobs).toBeNull()
})

it('requests scores of the token ids in the body, and of the prompt', async () => {
  const { request } = await post({ logprob_token_ids: [1, 2], prompt_logprobs: 3 })
  expect(request).toMatchObject({ topLogprobs: 0, scoredTokenIds: [1, 2], echo: true, promptLogprobs: 3 })
})

it('computes one choice if all are equal, and returns it n times', async () => {
  const { response, request } = await post({ n: 3, temperature: 0 })
  expect(request).toMatchObject({ choicesPerPrompt: 1, shownPerPrompt: 3, standsFor: 3 })
  expect(response.json().choices.map((choice: { message: { content: string } }) => choice.message.content)).toEqual(['ab', 'ab', 'ab'])
})

it('returns the client’s own id of the request', async () => {
  expect((await post({ request_id: 'mine' })).response.headers['x-client-request-id']).toBe('mine')
})

it('returns every choice, with a chat completion id', async () => {
  const { response, request } = await post({ n: 2 })
  expect(response.json()).toMatchObject({
    id: request?.id,
    object: 'chat.completion',
    choices: [0, 1].map(index => ({ index, message: { role: 'assistant', content: 'ab' }, finish_reason: 'length' }))
  })
  expect(request?.id).toMatch(/^chatcmpl-[0-9a-f]{32}$/)
})

it('streams chunks, usage at the end, and [DONE]', async () => {
  const { response } = await post({ stream: true, stream_options: { include_usage: true } })
  const data = readSse(response.body).map(event => event.data)
  expect(data.at(-1)).toBe('[DONE]')
  const chunks = data.slice(0, -1).map(json => JSON.parse(json))
  expect(chunks.flatMap(({ choices }) => choices.map((choice: { delta: object }) => choice.delta))).toEqual([
    { role: 'assistant', content: '' },
    { content: 'a' },
    { content: 'b' }
  ])
  expect(chunks.map(({ usage }) => usage?.completion_tokens ?? null)).toEqual([null, null, null, 2])
})

it('returns tool calls, whole and streamed', async () => {
  const parts = { queue: literalQueue(emitting('<tool_call>{"name":"clo', 'ck","arguments":{}}</tool_call>', '')) }
  const whole = await post({ tools: [TOOL] }, parts)
  expect(whole.response.json().choices[0].message).toMatchObject({
    content: null,
    tool_calls: [{ function: { name: 'clock', arguments: '{}' } }]
  })
  const { response } = await post(
    { tools: [TOOL], stream: true },
    { queue: literalQueue(emitting('<tool_call>{"name":"clock"}</tool_call>')) }
  )
  expect(response.body).toContain('"tool_calls":[{"index":0')
})

it('returns the same text as content if the request has no tools', async () => {
  const emitted = '<tool_call>{"name":"clock"}</tool_call>'
  expect((await post({}, { queue: literalQueue(emitting(emitted)) })).response.json().choices[0].message.content).toBe(emitted)
})

it('lists the fields that it ignores', async () => {
  const { response } = await post({ store: true, stream_options: { x: 1 }, stream: true })
  expect(response.headers['x-ignored-params']).toBe('store, stream_options.x')
})

const image = { role: 'user', content: [{ type: 'text', text: 'a' }, { type: 'image_url' }] }
const badCall = { role: 'assistant', tool_calls: [{ function: { name: 'x', arguments: {} } }] }
it.each([
  [{ messages: [] }, 'messages', 'too short'],
  [{ messages: 'hi' }, 'messages', 'array'],
  [{ messages: [{ role: 'king', content: 'hi' }] }, 'messages[0].role', '"assistant"'],
  [{ messages: [USER, { role: 'user', content: 5 }] }, 'messages[1].content', 'string'],
  [{ messages: [image] }, 'messages[0].content[1].type', "'image_url'"],
  [{ messages: [badCall] }, 'messages[0].tool_calls[0].function.arguments', 'string'],
  [{ messages: [{ role: 'user', content: 'no' }] }, 'messages', 'the template refuses it'],
  [{ top_logprobs: 2 }, 'top_logprobs', "'logprobs' true"],
  [{ logprobs: true, top_logprobs: 21 }, 'top_logprobs', '<= 20'],
  [{ logprobs: 2 }, 'logprobs', 'boolean'],
  [{ max_tokens: 0 }, 'max_tokens', '>= 1'],
  [{ response_format: { type: 'xml' } }, 'response_format', 'text'],
  [{ tools: [TOOL], tool_choice: 'required' }, 'tool_choice', "'auto'"],
  [{ tools: [{ type: 'function' }] }, 'tools[0].function', 'object'],
  [{ stream_options: {} }, 'stream_options', "'stream' is true"],
  [{ max_tokens: 5000 }, 'messages', 'maximum context length is 500'],
  [{ max_tokens: 5, min_tokens: 6 }, 'min_tokens', '<= 5, but got 6'],
  [{ max_completion_tokens: 4, max_tokens: 8, min_tokens: 6 }, 'min_tokens', '<= 4, but got 6'],
  [{ min_tokens: 499 }, 'min_tokens', '<= 488, but got 499'],
  [{ prompt_logprobs: 1, stream: true }, 'prompt_logprobs', "when 'stream' is true"],
  [{ logprob_token_ids: [256] }, 'logprob_token_ids', 'below 256']
])('refuses %j, naming %s', async (body, param, words) => {
  const { response, request } = await post(body)
  expect(response.statusCode).toBe(400)
  expect(response.json().error).toMatchObject({ param, message: expect.stringContaining(words) })
  expect(request).toBeUndefined()
})

it('refuses conversations without a chat template, and tools whose calls cannot be parsed', async () => {
  const without = await post({}, { text: TEXT })
  expect(without.response.json().error).toMatchObject({ param: 'messages', message: expect.stringContaining('no chat template') })
  const unread = await post({ tools: [TOOL] }, { text: chatText({ toolCalls: null }) })
  expect(unread.response.json().error).toMatchObject({ param: 'tools' })
})
