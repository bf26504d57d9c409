import fc from 'fast-check'
import { expect, it } from 'vitest'
import { toHistory } from '../../../src/routes/chat/history.ts'
import { messagesField } from '../../../src/routes/chat/message-fields.ts'
import { readableLog, testApp } from '../../server/app-parts.ts'
import { CARD, emitting, literalQueue } from '../literal-parts.ts'
import { openTestApp } from '../socket/a-socket.ts'
import { chatText } from './chat-text.ts'

const history = (...messages: readonly object[]) => toHistory(messagesField.parse(messages), { knowsDeveloper: true })
const called = (name: string, id: string, given = '{}') => ({
  role: 'assistant',
  tool_calls: [{ id, type: 'function', function: { name, arguments: given } }]
})

it('accepts any string as the arguments of a call, and passes an object to templates', () => {
  const objects = fc.dictionary(fc.string(), fc.jsonValue())
  const anyJson = fc.jsonValue().map(value => JSON.stringify(value))
  fc.assert(
    fc.property(fc.oneof(fc.string(), anyJson, objects.map(JSON.stringify)), fc.nat(), (whole, at) => {
      for (const text of [whole, whole.slice(0, at % (whole.length + 1))]) {
        const { messages, unreadableCalls } = history(called('f', 'c', text))
        const given = messages[0]?.tool_calls?.[0]?.function.arguments
        const emitted = objectOf(text)
        expect(given).toEqual(emitted ?? {})
        expect(unreadableCalls).toBe(emitted === null && text.trim() !== '' ? 1 : 0)
      }
    })
  )
})

it('accepts arguments that are not JSON, however deep their brackets nest', () => {
  expect(history(called('f', 'c', '['.repeat(1000)))).toMatchObject({ unreadableCalls: 1 })
})

it('names the function of a tool message without a name after the last call with its id', () => {
  const { messages } = history(
    called('clock', 'a'),
    { role: 'tool', tool_call_id: 'a', content: '1' },
    called('map', 'a'),
    { role: 'tool', tool_call_id: 'a', content: '2' },
    { role: 'tool', tool_call_id: 'a', name: 'mine', content: '3' },
    { role: 'tool', tool_call_id: 'unknown', content: '4' },
    { role: 'tool', content: '5' }
  )
  expect(messages.filter(({ role }) => role === 'tool').map(({ name }) => name)).toEqual(['clock', 'map', 'mine', undefined, undefined])
})

it('converts the deprecated function_call and role function to a tool call and a tool message', () => {
  const { messages } = history(
    { role: 'assistant', content: null, function_call: { name: 'clock', arguments: '{"zone":"UTC"}' } },
    { role: 'function', name: 'clock', content: 'noon' },
    { role: 'function', name: 'unknown', content: 'x' }
  )
  const id = messages[0]?.tool_calls?.[0]?.id ?? ''
  expect(id).toMatch(/^[a-z0-9]{9}$/)
  expect(messages).toEqual([
    { role: 'assistant', content: '', tool_calls: [{ id, type: 'function', function: { name: 'clock', arguments: { zone: 'UTC' } } }] },
    { role: 'tool', content: 'noon', name: 'clock', tool_call_id: id },
    { role: 'tool', content: 'x', name: 'unknown' }
  ])
})

it('assigns a unique id to each deprecated call, and prefers tool_calls to function_call', () => {
  const one = { role: 'assistant', function_call: { name: 'f', arguments: '' } }
  const { messages } = history(called('g', 'call00001'), one, one, { ...called('h', 'c'), function_call: { name: 'f', arguments: '' } })
  const calls = messages.flatMap(({ tool_calls = [] }) => tool_calls)
  expect(calls.map(call => call.function.name)).toEqual(['g', 'f', 'f', 'h'])
  expect(new Set(calls.map(({ id }) => id)).size).toBe(4)
})

it('reads a refusal of the assistant, as a part or next to empty content', () => {
  const { messages } = history(
    {
      role: 'assistant',
      content: [
        { type: 'text', text: 'a' },
        { type: 'refusal', refusal: 'no' }
      ]
    },
    { role: 'assistant', content: null, refusal: 'never' },
    { role: 'assistant', content: 'yes', refusal: null }
  )
  expect(messages.map(({ content }) => content)).toEqual(['a\nno', 'never', 'yes'])
})

const SECRET = '{"city":"Secretville'
const BODY = { model: 'tiny', messages: [called('f', 'c', SECRET), { role: 'user', content: 'hi' }], max_tokens: 2 }

it.each(['/v1/chat/completions', '/v1/chat/completions/render', '/tokenize'])(
  'accepts a tool call that max_tokens cut off at %s, with a log line that does not quote it',
  async url => {
    const { logger, lines, line } = readableLog()
    const parts = { text: chatText(), queue: literalQueue(emitting('a')), card: { ...CARD, contextLength: 500 }, logger }
    const { statusCode } = await testApp(parts).inject({ method: 'POST', url, payload: BODY })
    expect(statusCode).toBe(200)
    expect(
      await line('the arguments of 1 earlier tool calls are not JSON objects: {} is passed to the chat template instead')
    ).toMatchObject({ level: 40 })
    expect(JSON.stringify(lines)).not.toContain('Secretville')
  }
)

it('also accepts it on a WebSocket', async () => {
  const { logger, line } = readableLog()
  await using testApp = await openTestApp(4, undefined, { text: chatText(), card: { ...CARD, contextLength: 500 }, logger })
  const client = await testApp.connect()
  client.send({ type: 'chat.create', id: 'a', body: BODY })
  await client.until(message => message['type'] === 'done')
  await line('the arguments of 1 earlier tool calls are not JSON objects: {} is passed to the chat template instead')
})

function objectOf(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && !Array.isArray(value) ? value : null
  } catch {
    return null
  }
}
