import { fastify } from 'fastify'
import { expect, it } from 'vitest'
import { PLAIN_TICKET } from '../../../src/inference/contract/ticket.ts'
import { completionRoute } from '../../../src/routes/completions/route.ts'
import { answerErrors } from '../../../src/server/plugins/error-handler.ts'
import { literalQueue, routeOptions, saying } from '../literal-parts.ts'

const GOOD = { model: 'tiny', prompt: 'hi' }
const BIAS_301 = Object.fromEntries(Array.from({ length: 301 }, (_, i) => [i, 1]))

async function post(payload: unknown, strictParams = false) {
  const queue = literalQueue(saying('!'))
  const app = fastify()
  answerErrors(app)
  await app.register(completionRoute, routeOptions(queue, { strictParams }))
  const headers = { 'content-type': 'application/json' }
  const response = await app.inject({ method: 'POST', url: '/v1/completions', headers, payload: JSON.stringify(payload) })
  return { response, queue, request: queue.submitted[0] }
}

it.each([
  { fields: { temperature: 2.5 }, param: 'temperature', says: ['temperature', '<= 2', '2.5'] },
  { fields: { temperature: '1' }, param: 'temperature', says: ['temperature', 'a decimal', 'string of length 1'] },
  { fields: { top_p: 0 }, param: 'top_p', says: ['top_p', '> 0', 'got 0'] },
  { fields: { top_k: -2 }, param: 'top_k', says: ['top_k', '>= -1', '-2'] },
  { fields: { min_p: 1.1 }, param: 'min_p', says: ['min_p', '<= 1', '1.1'] },
  { fields: { n: 0 }, param: 'n', says: ["'n'", '>= 1', 'got 0'] },
  { fields: { n: 129 }, param: 'n', says: ["'n'", '<= 128', '129'] },
  { fields: { n: 1.5 }, param: 'n', says: ["'n'", 'an integer', '1.5'] },
  { fields: { prompt: ['a', 'b'], n: 65 }, param: 'n', says: ['128', '2 × 65 = 130'] },
  { fields: { max_tokens: -1 }, param: 'max_tokens', says: ['max_tokens', '>= 0', '-1'] },
  { fields: { logprobs: 21 }, param: 'logprobs', says: ['logprobs', '<= 20', '21'] },
  { fields: { logprobs: true }, param: 'logprobs', says: ['logprobs', 'true'] },
  { fields: { presence_penalty: 3 }, param: 'presence_penalty', says: ['presence_penalty', '<= 2', '3'] },
  { fields: { frequency_penalty: -3 }, param: 'frequency_penalty', says: ['frequency_penalty', '>= -2', '-3'] },
  { fields: { seed: 2 ** 53 }, param: 'seed', says: ['seed', '9007199254740991'] },
  { fields: { echo: 'yes' }, param: 'echo', says: ['echo', 'a boolean'] },
  { fields: { stop: '' }, param: 'stop', says: ['stop', 'non-empty'] },
  { fields: { stop: ['a', 'b', 'c', 'd', 'e'] }, param: 'stop', says: ['stop', '4', 'length 5'] },
  { fields: { stop: 'x'.repeat(257) }, param: 'stop', says: ['stop', '256', '257'] },
  { fields: { stop: [1] }, param: 'stop', says: ['stop', 'got 1'] },
  { fields: { logit_bias: { 1: 101 } }, param: 'logit_bias', says: ['logit_bias.1', '100', '101'] },
  { fields: { logit_bias: { a: 1 } }, param: 'logit_bias', says: ['logit_bias', 'token id'] },
  { fields: { logit_bias: { 256: 1 } }, param: 'logit_bias', says: ['logit_bias', 'below 256', 'got 256'] },
  { fields: { logit_bias: [1] }, param: 'logit_bias', says: ['logit_bias', 'an object', 'array'] },
  { fields: { logit_bias: BIAS_301 }, param: 'logit_bias', says: ['logit_bias', '300', '301'] },
  { fields: { stream_options: {} }, param: 'stream_options', says: ['stream'] },
  { fields: { stream: true, stream_options: { include_usage: 1 } }, param: 'stream_options.include_usage', says: ['a boolean', '1'] },
  { fields: { best_of: 2 }, param: 'best_of', says: ['best_of', '1', '2'] },
  { fields: { suffix: 'end' }, param: 'suffix', says: ['suffix'] },
  { fields: { cache_salt: '' }, param: 'cache_salt', says: ['cache_salt', '1', '0'] },
  { fields: { prompt: '' }, param: 'prompt', says: ['prompt', 'non-empty'] },
  { fields: { prompt: [] }, param: 'prompt', says: ['prompt', 'non-empty'] },
  { fields: { prompt: [''] }, param: 'prompt', says: ['prompt', 'non-empty'] },
  { fields: { prompt: [[]] }, param: 'prompt', says: ['prompt', 'non-empty'] },
  { fields: { prompt: null }, param: 'prompt', says: ['prompt'] },
  { fields: { prompt: 7 }, param: 'prompt', says: ['prompt', 'got 7'] },
  { fields: { prompt: ['a', 1] }, param: 'prompt', says: ['prompt', 'got 1'] },
  { fields: { prompt: [1, 'a'] }, param: 'prompt', says: ['prompt', 'string'] },
  { fields: { prompt: [[1], 'a'] }, param: 'prompt', says: ['prompt', 'string'] },
  { fields: { prompt: [1, -1] }, param: 'prompt', says: ['prompt', '-1'] },
  { fields: { prompt: [1, 1.5] }, param: 'prompt', says: ['prompt', '1.5'] },
  { fields: { prompt: [1, 256] }, param: 'prompt', says: ['prompt', 'below 256', 'got 256'] },
  { fields: { prompt: Array.from({ length: 65 }, () => 'a') }, param: 'prompt', says: ['prompt', '64', '65'] }
])('refuses $fields, naming field, bound and value', async ({ fields, param, says }) => {
  const { response, queue } = await post({ ...GOOD, ...fields })
  expect(response.statusCode).toBe(400)
  const { error } = response.json()
  expect(error).toEqual({ message: expect.any(String), type: 'invalid_request_error', param, code: null })
  for (const word of says) expect(error.message).toContain(word)
  expect(queue.submitted).toEqual([])
})

it.each([{}, { model: null, prompt: 'hi' }])('asks for a model when there is none: %j', async body => {
  const { response } = await post(body)
  expect(response.statusCode).toBe(400)
  expect(response.json()).toEqual({
    error: { message: 'you must provide a model parameter', type: 'invalid_request_error', param: null, code: null }
  })
})

it('answers 404 for a model it does not serve', async () => {
  const { response } = await post({ model: 'other', prompt: 'hi' })
  expect(response.statusCode).toBe(404)
  expect(response.json().error).toMatchObject({
    code: 'model_not_found',
    message: 'The model `other` does not exist or you do not have access to it.'
  })
})

it.each([[[]], ['text'], [3]])('refuses a body that is no object: %j', async body => {
  const { response } = await post(body)
  expect(response.statusCode).toBe(400)
  expect(response.json().error.message).toContain('JSON object')
})

it('takes null for the default of every option', async () => {
  const names =
    'max_tokens temperature top_p top_k min_p n stop seed stream stream_options background logprobs echo presence_penalty frequency_penalty'
  const more = 'logit_bias ignore_eos return_token_ids best_of suffix user cache_salt'
  const nulls = Object.fromEntries(`${names} ${more}`.split(' ').map(name => [name, null]))
  const { response, request } = await post({ ...GOOD, ...nulls })
  expect(response.statusCode).toBe(200)
  expect(response.headers['x-ignored-params']).toBeUndefined()
  expect(request).toEqual({
    id: expect.stringMatching(/^cmpl-[0-9a-f]{32}$/),
    prompts: [{ tokenIds: [104, 105] }],
    choicesPerPrompt: 1,
    maxNewTokens: 16,
    sampling: {
      temperature: 1,
      topP: 1,
      topK: 0,
      minP: 0,
      presencePenalty: 0,
      frequencyPenalty: 0,
      logitBias: [],
      seed: expect.any(Number)
    },
    stopStrings: [],
    ignoreEos: false,
    topLogprobs: null,
    echo: false,
    cacheSalt: 'caller',
    admittedAtMs: 1_700_000_000_500,
    ticket: { ...PLAIN_TICKET, owner: request?.ticket.owner, presentation: expect.any(String) }
  })
})

it('carries every option in house words', async () => {
  const { request } = await post({
    ...GOOD,
    prompt: [
      [1, 2],
      [3, 4]
    ],
    max_tokens: 0,
    temperature: 0,
    top_p: 0.5,
    top_k: -1,
    min_p: 0.1,
    n: 2,
    best_of: 2,
    stop: 'END',
    seed: -7,
    logprobs: 0,
    echo: true,
    presence_penalty: -2,
    frequency_penalty: 2,
    logit_bias: { 5: -100, 6: 0.5 },
    ignore_eos: true,
    user: 'someone',
    cache_salt: 'pepper'
  })
  expect(request).toMatchObject({
    prompts: [{ tokenIds: [1, 2] }, { tokenIds: [3, 4] }],
    choicesPerPrompt: 2,
    maxNewTokens: 0,
    stopStrings: ['END'],
    topLogprobs: 0,
    echo: true,
    ignoreEos: true,
    cacheSalt: 'caller:pepper'
  })
  expect(request?.sampling).toEqual({
    temperature: 0,
    topP: 0.5,
    topK: 0,
    minP: 0.1,
    presencePenalty: -2,
    frequencyPenalty: 2,
    logitBias: [
      [5, -100],
      [6, 0.5]
    ],
    seed: -7
  })
})

it.each([
  { prompt: ['a', 'bc'], ids: [[97], [98, 99]] },
  { prompt: [1, 2], ids: [[1, 2]] },
  { prompt: [[1], [2]], ids: [[1], [2]] }
])('reads the prompt $prompt', async ({ prompt, ids }) => {
  const { request } = await post({ ...GOOD, prompt })
  expect(request?.prompts.map(one => one.tokenIds)).toEqual(ids)
})

it.each([
  { promptTokens: 60, maxTokens: 4, granted: 4 },
  { promptTokens: 64, maxTokens: 0, granted: 0 },
  { promptTokens: 60, maxTokens: null, granted: 4 },
  { promptTokens: 48, maxTokens: null, granted: 16 }
])('grants $granted new tokens to a prompt of $promptTokens that asks for $maxTokens', async ({ promptTokens, maxTokens, granted }) => {
  const { request } = await post({ ...GOOD, prompt: 'x'.repeat(promptTokens), max_tokens: maxTokens })
  expect(request?.maxNewTokens).toBe(granted)
})

it.each([
  { promptTokens: 60, maxTokens: 5, numbers: '65 tokens (60 in your prompt; 5 for the completion)' },
  { promptTokens: 64, maxTokens: null, numbers: '80 tokens (64 in your prompt; 16 for the completion)' },
  { promptTokens: 65, maxTokens: 0, numbers: '65 tokens (65 in your prompt; 0 for the completion)' }
])('refuses what overflows the context in the words of OpenAI: $numbers', async ({ promptTokens, maxTokens, numbers }) => {
  const { response } = await post({ ...GOOD, prompt: 'x'.repeat(promptTokens), max_tokens: maxTokens })
  expect(response.statusCode).toBe(400)
  expect(response.json().error).toEqual({
    message: `This model's maximum context length is 64 tokens, however you requested ${numbers}. Please reduce your prompt; or completion length.`,
    type: 'invalid_request_error',
    param: null,
    code: 'context_length_exceeded'
  })
})

it('names what it ignores, and lets no name break out of the header', async () => {
  const { response } = await post({ ...GOOD, stream: true, stream_options: { x: 1 }, 'a\r\nset-cookie: b': 1, ü: 2, dry_multiplier: 1 })
  expect(response.statusCode).toBe(200)
  expect(response.headers['x-ignored-params']).toBe('a%0D%0Aset-cookie%3A%20b, %C3%BC, dry_multiplier, stream_options.x')
  expect(response.headers['set-cookie']).toBeUndefined()
})

it('refuses what it does not know in strict mode', async () => {
  const { response } = await post({ ...GOOD, dry_multiplier: 1 }, true)
  expect(response.statusCode).toBe(400)
  expect(response.json().error).toMatchObject({
    message: 'Unrecognized request argument supplied: dry_multiplier',
    param: 'dry_multiplier'
  })
})
