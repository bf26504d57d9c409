import fc from 'fast-check'
import { expect, it } from 'vitest'
import { LIMITS } from '../../../src/inference/contract/limits.ts'
import { jsonFault, measureJson } from '../../../src/routes/wire/fields/json-bounds.ts'
import { testApp } from '../../server/app-parts.ts'
import { chatText } from '../chat/chat-text.ts'
import { CARD } from '../literal-parts.ts'
import { openTestApp } from '../socket/a-socket.ts'

const nestedArrays = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
const nestedObjects = (levels: number) => `${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Object.values(value).reduce<number>((deepest, inner) => Math.max(deepest, depthOf(inner)), 0)
}

function membersOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  const keys = Array.isArray(value) ? 0 : Object.keys(value).length
  return 1 + keys + Object.values(value).reduce<number>((sum, inner) => sum + membersOf(inner), 0)
}

function valuesOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  const inner = Object.values(value)
  return inner.reduce<number>((sum, one) => sum + valuesOf(one), Math.max(0, inner.length - 1))
}

it('counts the levels, members and values of any JSON, however it is written and whatever its strings hold', () => {
  const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('[', '{', '"', '\\', ']', '}', 'é') }))
  const { value } = fc.letrec(tie => ({
    value: fc.oneof({ depthSize: 'large' }, text, fc.integer(), fc.constant(null), tie('array'), tie('object')),
    array: fc.array(tie('value'), { maxLength: 3 }),
    object: fc.dictionary(text, tie('value'), { maxKeys: 3 })
  }))
  fc.assert(
    fc.property(value, fc.constantFrom(0, 2), (json, indent) => {
      expect(measureJson(JSON.stringify(json, null, indent))).toEqual({
        depth: depthOf(json),
        members: membersOf(json),
        commas: valuesOf(json)
      })
    })
  )
})

it('counts hundreds of thousands of levels, and ends on what is no JSON', () => {
  expect(measureJson(nestedArrays(500_000)).depth).toBe(500_000)
  expect(measureJson('"\\').depth).toBe(0)
  expect(measureJson(']]]['.repeat(10)).depth).toBeLessThan(10)
})

const CHAT = { model: 'tiny', messages: [{ role: 'user', content: 'hi' }] }
const TOOL = { type: 'function', function: { name: 'f', parameters: '$' } }
const CALL = { role: 'assistant', tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '$' } }] }
/** `$` is where a nested value stands, `levels` how deep that place lies. */
const PLACES = [
  { url: '/v1/chat/completions', body: { ...CHAT, chat_template_kwargs: { a: '$' } }, levels: 2 },
  { url: '/v1/chat/completions', body: { ...CHAT, tools: [TOOL] }, levels: 4 },
  { url: '/v1/chat/completions', body: { ...CHAT, nobody_knows_this: '$' }, levels: 1 },
  { url: '/v1/chat/completions/render', body: { ...CHAT, chat_template_kwargs: { a: '$' } }, levels: 2 },
  { url: '/v1/completions', body: { model: 'tiny', prompt: 'hi', nobody_knows_this: '$' }, levels: 1 },
  { url: '/v1/completions/render', body: { model: 'tiny', prompt: 'hi', nobody_knows_this: '$' }, levels: 1 },
  { url: '/tokenize', body: { ...CHAT, chat_template_kwargs: { a: '$' } }, levels: 2 },
  { url: '/detokenize', body: { tokens: [65], nobody_knows_this: '$' }, levels: 1 }
]
const NESTED = [
  { shape: 'arrays', nested: nestedArrays },
  { shape: 'objects', nested: nestedObjects }
]
const EVERYWHERE = PLACES.flatMap(position => NESTED.map(nested => ({ ...position, ...nested, field: JSON.stringify(position.body) })))

async function post(url: string, payload: string, headers: Readonly<Record<string, string>> = {}) {
  const app = testApp({ text: chatText(), card: { ...CARD, contextLength: 2000 } })
  return await app.inject({ method: 'POST', url, payload, headers: { 'content-type': 'application/json', ...headers } })
}

it.each(EVERYWHERE)('$url takes 64 levels of $shape and refuses more: $field', async ({ url, body, levels, nested }) => {
  const bodyWith = (depth: number) => JSON.stringify(body).replace('"$"', nested(depth))
  const taken = await post(url, bodyWith(LIMITS.jsonDepth - levels), { 'idempotency-key': 'k' })
  expect(taken.statusCode, taken.body).toBe(200)
  for (const depth of [LIMITS.jsonDepth - levels + 1, 5000, 100_000]) {
    const refused = await post(url, bodyWith(depth), { 'idempotency-key': 'k' })
    expect(refused.statusCode).toBe(400)
    expect(refused.json().error.message).toContain(`at most 64 levels of arrays and objects, but got ${depth + levels}`)
    expect(refused.headers['x-should-retry']).toBe('false')
  }
})

it.each(NESTED)('the arguments of an earlier call hold 64 levels of $shape and no more', async ({ nested }) => {
  const bodyWith = (depth: number) =>
    JSON.stringify({ ...CHAT, messages: [...CHAT.messages, CALL] }).replace('"$"', JSON.stringify(nested(depth)))
  expect((await post('/v1/chat/completions', bodyWith(64))).statusCode).toBe(200)
  for (const depth of [65, 5000]) {
    const { error } = (await post('/v1/chat/completions', bodyWith(depth))).json()
    expect(error.message).toContain(`at most 64 levels of arrays and objects, but got ${depth}`)
    expect(error.param).toBe('messages[1].tool_calls[0].function.arguments')
  }
})

it.each(NESTED)('a WebSocket frame holds 64 levels of $shape and no more, and the socket stays', async ({ nested }) => {
  await using testApp = await openTestApp(4, undefined, { text: chatText() })
  const client = await testApp.connect()
  const frame = (id: string, depth: number) =>
    JSON.stringify({ type: 'chat.create', id, body: { ...CHAT, max_tokens: 2, chat_template_kwargs: { a: '$' } } }).replace(
      '"$"',
      nested(depth - 3)
    )
  client.send(frame('deep', 65))
  client.send(frame('deeper', 5000))
  client.send(frame('good', 64))
  await client.until(message => message['type'] === 'done')
  for (const [id, depth] of [['deep', 65] as const, ['deeper', 5000] as const]) {
    expect(client.of(id)).toMatchObject([
      { type: 'error', error: { message: expect.stringContaining(`64 levels of arrays and objects, but got ${depth}`) } }
    ])
  }
  expect(client.of('good').at(-1)).toMatchObject({ type: 'done' })
})

it('brackets within strings are no levels, and what is no JSON is still told so', async () => {
  const brackets = '[{"'.repeat(1000)
  expect((await post('/tokenize', JSON.stringify({ prompt: brackets, [brackets]: brackets }))).statusCode).toBe(200)
  for (const text of [' ', '{', '[[]', '{"prompt":"a', '"\\']) {
    const refused = await post('/tokenize', text)
    expect([text, refused.statusCode]).toEqual([text, 400])
    expect(refused.json().error.message).toContain('could not parse the JSON body')
  }
})

const list = (length: number, item: unknown) => JSON.stringify(Array(length).fill(item))
const keys = (count: number) => JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, 0])))
/** Texts at a bound, each with one that is beyond it. */
const LARGE = [
  {
    what: 'arrays',
    within: list(LIMITS.jsonMembers - 1, []),
    beyond: list(LIMITS.jsonMembers, []),
    states: '16384 arrays, objects and keys, but got 16385'
  },
  {
    what: 'objects',
    within: list(LIMITS.jsonMembers - 1, {}),
    beyond: list(LIMITS.jsonMembers, {}),
    states: '16384 arrays, objects and keys'
  },
  { what: 'keys', within: keys(LIMITS.jsonMembers - 1), beyond: keys(LIMITS.jsonMembers), states: '16384 arrays, objects and keys' },
  { what: 'values', within: list(LIMITS.jsonValues, 0), beyond: list(LIMITS.jsonValues + 1, 0), states: '262144 values, but got 262145' }
]

it.each(LARGE)('refuses JSON with too many $what before it is parsed, wherever it comes in', async ({ within, beyond, states }) => {
  expect(jsonFault(within)).toBeNull()
  expect(jsonFault(beyond)).toContain(states)
  for (const url of ['/v1/completions', '/v1/chat/completions', '/tokenize', '/detokenize', '/v1/completions/render']) {
    const { error } = (await post(url, `{"model":"tiny","prompt":"a","unknown":${beyond}}`, { 'idempotency-key': 'k' })).json()
    expect(error.message).toMatch(/^Invalid request body: JSON too large/)
  }
  await using testApp = await openTestApp(4, undefined, { text: chatText() })
  const client = await testApp.connect()
  client.send(`{"type":"chat.create","id":"a","body":{"unknown":${beyond}}}`)
  expect(await client.until(message => message['type'] === 'error')).toMatchObject({
    id: null,
    error: { message: expect.stringContaining('JSON too large') }
  })
})

it('bounds the arguments of all earlier calls together', async () => {
  const call = (at: number) => ({ id: `c${at}`, type: 'function', function: { name: 'f', arguments: keys(1000) } })
  const bodyOf = (count: number) =>
    JSON.stringify({ ...CHAT, messages: [{ role: 'assistant', tool_calls: Array.from({ length: count }, (_, at) => call(at)) }] })
  expect((await post('/v1/chat/completions', bodyOf(17))).json().error.message).toContain('Expected at most 16384 arrays, objects and keys')
  expect((await post('/v1/chat/completions', bodyOf(16))).json().error.message).toContain('maximum context length')
})
