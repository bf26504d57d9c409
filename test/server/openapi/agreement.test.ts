import fc from 'fast-check'
import { afterAll, expect, it } from 'vitest'
import { z } from 'zod'
import { openApiDocument } from '../../../src/server/openapi/document.ts'
import { OPERATIONS } from '../../../src/server/openapi/operations.ts'
import { chatText } from '../../routes/chat/chat-text.ts'
import { CARD, emitting, literalQueue } from '../../routes/literal-parts.ts'
import { testApp } from '../app-parts.ts'

type Schema = Readonly<Record<string, unknown>>

const Described = z.looseObject({
  paths: z.record(
    z.string(),
    z.looseObject({
      post: z
        .looseObject({
          requestBody: z.object({ content: z.object({ 'application/json': z.object({ schema: z.record(z.string(), z.unknown()) }) }) })
        })
        .optional()
    })
  )
})
const DOCUMENT = Described.parse(JSON.parse(JSON.stringify(openApiDocument(OPERATIONS))))

const text = { ...chatText(), facts: { ...chatText().facts, fillInTheMiddle: { prefix: 1, suffix: 2, middle: 3 } } }
const app = testApp({ text, queue: literalQueue(emitting('a')), card: { ...CARD, contextLength: 1_000_000 } })
afterAll(() => app.close())

const MESSAGES = [{ role: 'user', content: 'hi' }]
const CHAT = { model: 'tiny', messages: MESSAGES, max_tokens: 200, logprobs: true }
const COMPLETION = { model: 'tiny', prompt: 'hi', max_tokens: 200 }
/** Valid bodies in which the test replaces one field at a time. */
const ENDPOINTS = [
  { path: '/v1/completions', body: COMPLETION },
  { path: '/v1/completions/render', body: COMPLETION },
  { path: '/v1/chat/completions', body: CHAT },
  { path: '/v1/chat/completions/render', body: CHAT },
  { path: '/tokenize', body: { messages: MESSAGES } },
  { path: '/detokenize', body: { tokens: [65] } }
]
/** Values that are refused for reasons outside the schema of one field: bounds that other fields or the model set. */
const BEYOND_THE_SCHEMA: Readonly<Record<string, (value: unknown, path: string) => boolean>> = {
  // zod accepts only integers that a double represents exactly.
  seed: value => typeof value === 'number' && !Number.isSafeInteger(value) && Number.isInteger(value),
  prompt: (value, path) => path === '/tokenize' && value !== null,
  messages: (value, path) => path === '/tokenize' && (value ?? null) === null,
  max_tokens: value => typeof value === 'number' && value > 1e5,
  max_completion_tokens: value => typeof value === 'number' && value > 1e5,
  min_tokens: value => typeof value === 'number' && value > 200,
  stream_options: value => value !== null,
  tool_choice: (_, path) => path === '/tokenize'
}
const TOKEN_IDS = new Set(['prompt', 'tokens', 'stop_token_ids', 'allowed_token_ids', 'logprob_token_ids'])

const toolCalls = [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{' } }]
const anyMessages = fc.array(
  fc.record(
    {
      role: fc.constantFrom('user', 'assistant', 'tool', 'function', 'nobody'),
      content: fc.constantFrom(
        null,
        'a',
        1,
        {},
        [],
        [{ type: 'text', text: 'a' }],
        [{ type: 'refusal', refusal: 'a' }],
        [{ type: 'text' }],
        [1]
      ),
      tool_calls: fc.constantFrom(null, [], toolCalls, [{ id: 'c' }], [0], 1),
      function_call: fc.constantFrom(null, { name: 'f', arguments: '' }, { name: 'f' }, 1),
      name: fc.constantFrom(null, 'a', 1),
      refusal: fc.constantFrom(null, 'a', 1)
    },
    { requiredKeys: [] }
  ),
  { maxLength: 2 }
)
const anyTools = fc.array(
  fc.constantFrom({ type: 'function', function: { name: 'f' } }, { type: 'function', function: { name: '' } }, {}, 0)
)
const anyValue = fc.oneof(
  fc.constantFrom(
    null,
    true,
    false,
    '',
    ' ',
    'a',
    'none',
    'auto',
    0,
    1,
    -1,
    2,
    0.5,
    100,
    -2,
    21,
    129,
    1e9,
    2 ** 53,
    -(2 ** 63),
    2 ** 64,
    1e30
  ),
  fc.array(fc.oneof(fc.constantFrom('', 'a', null, 1.5, -1), fc.nat(9)), { maxLength: 3 }),
  fc.array(fc.nat(9), { maxLength: 5 }),
  fc.array(fc.array(fc.oneof(fc.nat(9), fc.constant('a')), { maxLength: 3 }), { maxLength: 3 }),
  fc.dictionary(fc.constantFrom('0', '17', 'x', 'type'), fc.constantFrom<unknown>(1, -100, 101, true, 'text'), { maxKeys: 2 }),
  anyMessages,
  anyTools
)

it.each(ENDPOINTS)('accepts for each field of $path exactly the values that its schema allows', async ({ path, body }) => {
  const schema = schemaOf(path)
  const described = z.fromJSONSchema(schema)
  const fields = z.record(z.string(), z.record(z.string(), z.unknown())).parse(schema['properties'])
  const ask = async (changed: object, field: string, value: unknown) => {
    if (BEYOND_THE_SCHEMA[field]?.(value, path) === true) return
    const { statusCode } = await app.inject({ method: 'POST', url: path, payload: changed })
    const taken = described.safeParse(changed).success
    expect({ field, value: JSON.stringify(value)?.slice(0, 200), taken: statusCode !== 400, statusCode }).toMatchObject({ taken })
  }
  expect(described.safeParse(body).success).toBe(true)
  for (const [field, received] of Object.entries(fields)) {
    const { [field]: _, ...without } = body as Schema
    await ask(without, field, undefined)
    for (const value of [null, ...boundsOf(received, TOKEN_IDS.has(field))]) await ask({ ...body, [field]: value }, field, value)
  }
  const change = fc.tuple(fc.constantFrom(...Object.keys(fields)), anyValue)
  await fc.assert(
    fc.asyncProperty(change, async ([field, value]) => await ask({ ...body, [field]: value }, field, value)),
    { numRuns: 400 }
  )
})

/** Values at and beyond the bounds of a schema. */
function boundsOf(schema: Schema, isOfTokens: boolean): readonly unknown[] {
  const { anyOf = [], minimum, maximum, exclusiveMinimum, maxLength, maxItems, maxProperties, items } = schema
  const ones = z.array(z.record(z.string(), z.unknown())).parse(anyOf)
  const item = typeof items === 'object' && items !== null && 'type' in items ? items.type : null
  const one = item === 'integer' ? 1 : item === 'array' ? [1] : 'a'
  const isList = typeof maxItems === 'number' && (item === 'string' || item === 'integer')
  return [
    ...ones.flatMap(inner => boundsOf(inner, isOfTokens)),
    ...(typeof minimum === 'number' ? [minimum, beyond(minimum, -1)] : []),
    ...(typeof maximum === 'number' && !isOfTokens ? [maximum, beyond(maximum, 1)] : []),
    ...(typeof exclusiveMinimum === 'number' ? [exclusiveMinimum] : []),
    ...(typeof maxLength === 'number' ? ['a'.repeat(maxLength), 'a'.repeat(maxLength + 1)] : []),
    ...(isList ? [Array(maxItems).fill(one), Array(maxItems + 1).fill(one)] : []),
    ...(typeof maxProperties === 'number' ? [maxProperties, maxProperties + 1].map(biases) : [])
  ]
}

/** The next number outside a bound: for doubles beyond 2^53 it is not the next integer. */
function beyond(bound: number, sign: 1 | -1): number {
  return bound + sign * Math.max(1, Math.abs(bound) * 2 ** -52)
}

function biases(count: number): object {
  return Object.fromEntries(Array.from({ length: count }, (_, id) => [id % 256 === id ? id : `x${id}`, 1]))
}

function schemaOf(path: string): Schema {
  const schema = DOCUMENT.paths[path]?.post?.requestBody.content['application/json'].schema
  if (schema === undefined) throw new Error(`${path} has no body`)
  return schema
}
