import fc from 'fast-check'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { LIMITS } from '../../../src/inference/contract/limits.ts'
import { ChatBody } from '../../../src/routes/chat/body.ts'
import { CompletionBody } from '../../../src/routes/completions/body.ts'
import { DetokenizeBody, TokenizeBody } from '../../../src/routes/tokenize/body.ts'
import { listField } from '../../../src/routes/wire/fields/list-field.ts'
import { zodValidator } from '../../../src/routes/wire/fields/zod-validator.ts'
import { testApp } from '../../server/app-parts.ts'
import { chatText } from '../chat/chat-text.ts'

const inMessage = (field: string) => (list: unknown) => ({ messages: [{ role: 'assistant', [field]: list }] })
const field = (name: string) => (list: unknown) => ({ messages: [{ role: 'user' }], [name]: list })
/** Every list of every body, and its maximum number of items. */
const LISTS = [
  { list: 'messages', body: ChatBody, around: field('messages'), maximum: LIMITS.messages },
  { list: 'content', body: ChatBody, around: inMessage('content'), maximum: LIMITS.contentParts },
  { list: 'tool_calls', body: ChatBody, around: inMessage('tool_calls'), maximum: LIMITS.toolCallsPerMessage },
  { list: 'tools', body: ChatBody, around: field('tools'), maximum: LIMITS.tools },
  { list: 'stop', body: ChatBody, around: field('stop'), maximum: LIMITS.stopStrings },
  { list: 'bad_words', body: ChatBody, around: field('bad_words'), maximum: LIMITS.badWords },
  { list: 'stop_token_ids', body: ChatBody, around: field('stop_token_ids'), maximum: LIMITS.stopTokenIds },
  { list: 'allowed_token_ids', body: ChatBody, around: field('allowed_token_ids'), maximum: LIMITS.allowedTokenIds },
  { list: 'logprob_token_ids', body: ChatBody, around: field('logprob_token_ids'), maximum: LIMITS.scoredTokenIds },
  { list: 'prompt of texts', body: CompletionBody, around: field('prompt'), maximum: LIMITS.promptsPerRequest },
  { list: 'ids of a prompt', body: CompletionBody, around: (list: unknown) => ({ prompt: [list] }), maximum: LIMITS.tokenIdsPerList },
  { list: 'messages to tokenize', body: TokenizeBody, around: field('messages'), maximum: LIMITS.messages },
  { list: 'tools to tokenize', body: TokenizeBody, around: field('tools'), maximum: LIMITS.tools },
  { list: 'tokens', body: DetokenizeBody, around: field('tokens'), maximum: LIMITS.tokenIdsPerList }
]

/** An array that counts which of its items are read. */
function counted(length: number, item: unknown) {
  const looks = new Set<string>()
  const items = new Proxy(Array(length).fill(item), {
    get(target, key, receiver) {
      if (typeof key === 'string' && /^\d+$/.test(key)) looks.add(key)
      return Reflect.get(target, key, receiver)
    }
  })
  return { items, looks }
}

it.each(LISTS)('reads at most one bad item of $list, and only the first item of a list that is too long', ({ body, around, maximum }) => {
  for (const bad of [null, true, {}, [], -1.5]) {
    const within = counted(maximum, bad)
    expect(zodValidator({ schema: body })(around(within.items)).error).toMatchObject({ code: 'invalid_request' })
    expect(within.looks.size).toBeLessThanOrEqual(1)
    const beyond = counted(1_000_000, bad)
    expect(zodValidator({ schema: body })(around(beyond.items)).error).toMatchObject({ code: 'invalid_request' })
    expect(beyond.looks.size).toBeLessThanOrEqual(1)
  }
})

it('accepts the same lists as z.array, and reports only the first issue of others', () => {
  const item = z.object({ a: z.int().max(5).transform(String), b: z.string().nullish() })
  const bounds = { minimum: 1, maximum: 4 }
  const anyItem = fc.oneof(
    fc.record({ a: fc.integer({ min: 0, max: 6 }), b: fc.option(fc.string()), c: fc.string() }, { requiredKeys: ['a'] }),
    fc.constantFrom(null, 1, 'x', {}, [], { a: 'x', b: 7 })
  )
  fc.assert(
    fc.property(fc.oneof(fc.array(anyItem, { maxLength: 5 }), anyItem), value => {
      const ours = listField(item, bounds).safeParse(value, { reportInput: true })
      const theirs = z.array(item).min(bounds.minimum).max(bounds.maximum).safeParse(value, { reportInput: true })
      expect(ours.success).toBe(theirs.success)
      expect(ours.data).toEqual(theirs.data)
      const isOutOfBounds = Array.isArray(value) && (value.length < bounds.minimum || value.length > bounds.maximum)
      const received = theirs.error?.issues.find(({ path }) => !isOutOfBounds || path.length === 0)
      const { code, path, message } = ours.error?.issues[0] ?? {}
      expect({ code, path, message }).toMatchObject({ code: received?.code, path: received?.path })
      expect(ours.error?.issues.length ?? 0).toBeLessThanOrEqual(1)
    })
  )
})

it.each([
  { url: '/v1/chat/completions', payload: field('messages') },
  { url: '/v1/chat/completions', payload: field('tools') },
  { url: '/v1/chat/completions', payload: inMessage('content') },
  { url: '/v1/chat/completions', payload: inMessage('tool_calls') },
  { url: '/v1/completions', payload: field('prompt') },
  { url: '/v1/completions', payload: field('stop') },
  { url: '/tokenize', payload: inMessage('tool_calls') },
  { url: '/detokenize', payload: field('tokens') }
])('answers hundreds of thousands of zeros with 400 at $url: $payload', async ({ url, payload }) => {
  const app = testApp({ text: chatText() })
  for (const count of [200_000, 500_000]) {
    const response = await app.inject({ method: 'POST', url, payload: { model: 'tiny', ...payload(Array(count).fill(0)) } })
    expect(response.statusCode).toBe(400)
    expect(response.json().error).toMatchObject({ type: 'invalid_request_error', message: expect.stringMatching(/too (?:long|large)/) })
  }
})
