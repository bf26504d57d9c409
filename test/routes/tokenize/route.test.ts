import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { LIMITS } from '../../../src/inference/contract/limits.ts'
import type { TextPort } from '../../../src/inference/contract/text-port.ts'
import { openTextPort } from '../../../src/inference/tokenizer/text-threads/threaded-text-port.ts'
import { testApp } from '../../server/app-parts.ts'
import { chatText } from '../chat/chat-text.ts'
import { CARD, emitting, literalQueue } from '../literal-parts.ts'

const TEMPLATE =
  '{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}{% if add_generation_prompt %}>{% endif %}'

let text: TextPort
beforeAll(async () => {
  text = await openTextPort({ kind: 'words', words: [' yes'], chatTemplate: TEMPLATE })
})
afterAll(() => text.close())

async function ask(url: string, payload: object, port = text) {
  return await testApp({ text: port }).inject({ method: 'POST', url, payload })
}
const codes = (written: string): number[] => Array.from(written, char => char.charCodeAt(0))

it('returns ids for a text, and the text for the ids', async () => {
  const app = testApp({ text })
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'grapheme' }), async prompt => {
      const encoded = await app.inject({ method: 'POST', url: '/tokenize', payload: { prompt } })
      const { tokens, count, max_model_len } = encoded.json()
      expect([count, max_model_len]).toEqual([tokens.length, CARD.contextLength])
      const decoded = await app.inject({ method: 'POST', url: '/detokenize', payload: { tokens } })
      expect(decoded.json()).toEqual({ prompt })
    }),
    { numRuns: 30 }
  )
})

it('returns the text of each token if requested', async () => {
  const response = await ask('/tokenize', { prompt: 'né', return_token_strs: true })
  expect(response.json().token_strs).toEqual(['n', 'bytes:\\xc3', 'bytes:\\xa9'])
})

it('omits the start token if requested', async () => {
  const tokensOf = async (body: object) => String.fromCharCode(...(await ask('/tokenize', body, chatText())).json().tokens)
  expect(await tokensOf({ prompt: 'a' })).toBe('<s>a')
  expect(await tokensOf({ prompt: 'a', add_special_tokens: false })).toBe('a')
  const messages = [{ role: 'user', content: 'a' }]
  expect(await tokensOf({ messages })).toBe('<s><user>a>')
  expect(await tokensOf({ messages, add_special_tokens: false, add_generation_prompt: false })).toBe('<user>a')
})

it.each([
  ['/tokenize', {}, 'prompt'],
  ['/tokenize', { prompt: 'a', messages: [{ role: 'user', content: 'a' }] }, 'prompt'],
  ['/tokenize', { prompt: 5 }, 'prompt'],
  ['/detokenize', {}, 'tokens'],
  ['/detokenize', { tokens: [1, 257] }, 'tokens'],
  ['/detokenize', { tokens: [-1] }, 'tokens[0]'],
  ['/detokenize', { tokens: [1, 1.5] }, 'tokens[1]'],
  ['/detokenize', { tokens: [1, 2 ** 60] }, 'tokens[1]'],
  ['/detokenize', { tokens: '12' }, 'tokens'],
  ['/detokenize', { tokens: null }, 'tokens']
])('%s refuses %j', async (url, body, param) => {
  const response = await ask(url, body)
  expect(response.statusCode).toBe(400)
  expect(response.json().error).toMatchObject({ param })
})

it('refuses other models', async () => {
  expect((await ask('/tokenize', { prompt: 'a', model: 'other' })).statusCode).toBe(404)
})

it.each([
  ['/v1/completions', { prompt: ['ab', 'cd'] }, ['ab', 'cd']],
  ['/v1/completions', { prompt: codes('ab') }, ['ab']],
  ['/v1/chat/completions', { messages: [{ role: 'user', content: 'hi' }] }, ['<user>hi>']]
])('%s/render returns the prompts that the same body is answered from', async (url, body, prompts) => {
  const queue = literalQueue(emitting('a'))
  const app = testApp({ text, queue })
  const payload = { model: 'tiny', ...body }
  const rendered = await app.inject({ method: 'POST', url: `${url}/render`, payload })
  expect(queue.submitted).toEqual([])
  await app.inject({ method: 'POST', url, payload })
  expect(rendered.json()).toEqual({
    object: 'list',
    model: 'tiny',
    data: (queue.submitted[0]?.prompts ?? []).map(({ tokenIds }, index) => ({
      index,
      prompt: prompts[index],
      token_ids: tokenIds,
      count: tokenIds.length
    })),
    max_model_len: CARD.contextLength
  })
  expect(rendered.json().data).toHaveLength(prompts.length)
})

it('refuses to render a body that the API refuses', async () => {
  expect((await ask('/v1/completions/render', { model: 'tiny', prompt: 'a'.repeat(100) })).json().error.code).toBe(
    'context_length_exceeded'
  )
  expect((await ask('/v1/chat/completions/render', { model: 'tiny', messages: [] })).json().error.param).toBe('messages')
})

it('returns the tokenizer facts that lm-evaluation-harness requests', async () => {
  const response = await testApp({ text: chatText() }).inject({ url: '/tokenizer_info' })
  expect(response.json()).toMatchObject({
    bos_token: '<s>',
    eos_token: '</s>',
    pad_token: null,
    chat_template: 'literal',
    model_max_length: 64
  })
})

it('returns the capabilities of the model', async () => {
  const capabilitiesOf = async (port: TextPort) => (await testApp({ text: port }).inject({ url: '/v1/models/tiny' })).json().capabilities
  expect(await capabilitiesOf(text)).toEqual({ completions: true, chat: true, tools: false, suffix: false })
  expect(await capabilitiesOf(chatText())).toMatchObject({ chat: true, tools: true })
})

it('bounds the number of token ids, and reads none after the first bad one', async () => {
  const { tokenIdsPerList } = LIMITS
  const most = Array.from({ length: tokenIdsPerList }, () => 65)
  const message = async (tokens: readonly unknown[]) => (await ask('/detokenize', { tokens })).json().error?.message
  expect(await message(most)).toBeUndefined()
  expect(await message([...most, 65])).toContain(
    `Expected maximum length ${tokenIdsPerList}, but got an array of length ${tokenIdsPerList + 1}`
  )
  expect(await message([65, 'x', ...most.slice(2).map(() => null)])).toContain("'tokens[1]'")
})
