import fc from 'fast-check'
import { fastify } from 'fastify'
import { expect, it } from 'vitest'
import { PLAIN_DELIVERY } from '../../../src/inference/contract/delivery-policy.ts'
import { PLAIN_REQUEST } from '../../../src/inference/contract/request.ts'
import { PLAIN_SAMPLING } from '../../../src/inference/contract/sampling.ts'
import type { TextPort } from '../../../src/inference/contract/text-port.ts'
import { completionApi } from '../../../src/routes/completions/api.ts'
import { generationRoute } from '../../../src/routes/wire/request/generation-route.ts'
import { answerErrors } from '../../../src/server/plugins/error-handler.ts'
import { emitting, literalQueue, routeOptions, TEXT } from '../literal-parts.ts'

const GOOD = { model: 'tiny', prompt: 'hi' }
const IDS_129 = Array.from({ length: 129 }, (_, id) => id)
const IDS_4097 = Array.from({ length: 4097 }, (_, id) => id)
const BIAS_301 = Object.fromEntries(Array.from({ length: 301 }, (_, i) => [i, 1]))

async function post(payload: unknown, strictParams = false, text: TextPort = TEXT) {
  const queue = literalQueue(emitting('!'))
  const app = fastify()
  answerErrors(app)
  await app.register(generationRoute(completionApi), routeOptions(queue, { strictParams, text }))
  const headers = { 'content-type': 'application/json' }
  const response = await app.inject({
    method: 'POST',
    url: '/v1/completions',
    headers,
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload)
  })
  return { response, queue, request: queue.submitted[0] }
}

it.each([
  { fields: { temperature: 2.5 }, param: 'temperature', states: ['temperature', '<= 2', '2.5'] },
  { fields: { temperature: '1' }, param: 'temperature', states: ['temperature', 'a decimal', 'string of length 1'] },
  { fields: { top_p: -0.1 }, param: 'top_p', states: ['top_p', '>= 0', 'got -0.1'] },
  { fields: { top_k: -2 }, param: 'top_k', states: ['top_k', '>= -1', '-2'] },
  { fields: { min_p: 1.1 }, param: 'min_p', states: ['min_p', '<= 1', '1.1'] },
  { fields: { n: 0 }, param: 'n', states: ["'n'", '>= 1', 'got 0'] },
  { fields: { n: 129 }, param: 'n', states: ["'n'", '<= 128', '129'] },
  { fields: { n: 1.5 }, param: 'n', states: ["'n'", 'an integer', '1.5'] },
  { fields: { prompt: ['a', 'b'], n: 65 }, param: 'n', states: ['128', '2 × 65 = 130'] },
  { fields: { max_tokens: -1 }, param: 'max_tokens', states: ['max_tokens', '>= 0', '-1'] },
  { fields: { logprobs: 21 }, param: 'logprobs', states: ['logprobs', '<= 20', '21'] },
  { fields: { logprobs: true }, param: 'logprobs', states: ['logprobs', 'true'] },
  { fields: { presence_penalty: 3 }, param: 'presence_penalty', states: ['presence_penalty', '<= 2', '3'] },
  { fields: { frequency_penalty: -3 }, param: 'frequency_penalty', states: ['frequency_penalty', '>= -2', '-3'] },
  { fields: { seed: 2 ** 65 }, param: 'seed', states: ['seed', '<= 18446744073709552000', 'got 36893488147419103000'] },
  { fields: { seed: -(2 ** 64) }, param: 'seed', states: ['seed', '>= -9223372036854776000'] },
  { fields: { seed: 1.5 }, param: 'seed', states: ['seed', 'an integer', 'got 1.5'] },
  { fields: { seed: '1' }, param: 'seed', states: ['seed', 'a decimal', 'string of length 1'] },
  { fields: { echo: 'yes' }, param: 'echo', states: ['echo', 'a boolean'] },
  { fields: { stop: '' }, param: 'stop', states: ['stop', 'non-empty'] },
  { fields: { stop: Array(65).fill('a') }, param: 'stop', states: ['stop', '64', 'length 65'] },
  { fields: { stop: 'x'.repeat(257) }, param: 'stop', states: ['stop', '256', '257'] },
  { fields: { stop: [1] }, param: 'stop', states: ['stop', 'got 1'] },
  { fields: { logit_bias: { 1: 101 } }, param: 'logit_bias', states: ['logit_bias.1', '100', '101'] },
  { fields: { logit_bias: { a: 1 } }, param: 'logit_bias', states: ['logit_bias', 'token id'] },
  { fields: { logit_bias: { 256: 1 } }, param: 'logit_bias', states: ['logit_bias', 'below 256', 'got 256'] },
  { fields: { logit_bias: [1] }, param: 'logit_bias', states: ['logit_bias', 'an object', 'array'] },
  { fields: { logit_bias: BIAS_301 }, param: 'logit_bias', states: ['logit_bias', '300', '301'] },
  { fields: { stream_options: {} }, param: 'stream_options', states: ['stream'] },
  { fields: { stream: true, stream_options: { include_usage: 1 } }, param: 'stream_options.include_usage', states: ['a boolean', '1'] },
  { fields: { best_of: 0 }, param: 'best_of', states: ['best_of', '>= 1', 'got 0'] },
  { fields: { best_of: 129 }, param: 'best_of', states: ['best_of', '<= 128', '129'] },
  { fields: { n: 3, best_of: 2 }, param: 'best_of', states: ["'n' (currently 3)", "'best_of' (currently 2)"] },
  { fields: { n: 1, best_of: 2, stream: true }, param: 'best_of', states: ['best_of', 'streamed', 'at most 1', 'got 2'] },
  { fields: { prompt: ['a', 'b'], best_of: 65 }, param: 'best_of', states: ['128', '2 × 65 = 130'] },
  { fields: { suffix: 'end' }, param: 'suffix', states: ['suffix', 'does not support fill-in-the-middle'] },
  { fields: { suffix: 1 }, param: 'suffix', states: ['suffix', 'a string', 'got 1'] },
  { fields: { min_tokens: -1 }, param: 'min_tokens', states: ['min_tokens', '>= 0', '-1'] },
  { fields: { min_tokens: 5, max_tokens: 4 }, param: 'min_tokens', states: ['min_tokens', 'max_tokens', '<= 4', 'got 5'] },
  { fields: { min_tokens: 17 }, param: 'min_tokens', states: ['min_tokens', '<= 16', 'got 17'] },
  { fields: { typical_p: 0 }, param: 'typical_p', states: ['typical_p', '> 0', 'got 0'] },
  { fields: { typical_p: 1.5 }, param: 'typical_p', states: ['typical_p', '<= 1', '1.5'] },
  { fields: { repetition_penalty: 0 }, param: 'repetition_penalty', states: ['repetition_penalty', '> 0', 'got 0'] },
  { fields: { repetition_penalty: 2.1 }, param: 'repetition_penalty', states: ['repetition_penalty', '<= 2', '2.1'] },
  { fields: { allowed_token_ids: [] }, param: 'allowed_token_ids', states: ['allowed_token_ids', '1', 'length 0'] },
  { fields: { allowed_token_ids: [256] }, param: 'allowed_token_ids', states: ['allowed_token_ids', 'below 256', 'got 256'] },
  { fields: { allowed_token_ids: IDS_4097 }, param: 'allowed_token_ids', states: ['allowed_token_ids', '4096', '4097'] },
  { fields: { allowed_token_ids: [1.5] }, param: 'allowed_token_ids', states: ['allowed_token_ids', '1.5'] },
  { fields: { stop_token_ids: 7 }, param: 'stop_token_ids', states: ['stop_token_ids', 'an array', 'got 7'] },
  { fields: { stop_token_ids: ['7'] }, param: 'stop_token_ids', states: ['stop_token_ids', 'string of length 1'] },
  { fields: { stop_token_ids: [256] }, param: 'stop_token_ids', states: ['stop_token_ids', 'below 256', 'got 256'] },
  { fields: { stop_token_ids: IDS_129 }, param: 'stop_token_ids', states: ['stop_token_ids', '128', '129'] },
  { fields: { logprob_token_ids: IDS_129 }, param: 'logprob_token_ids', states: ['logprob_token_ids', '128', '129'] },
  { fields: { logprob_token_ids: [-1] }, param: 'logprob_token_ids', states: ['logprob_token_ids', '-1'] },
  { fields: { logprob_token_ids: [300] }, param: 'logprob_token_ids', states: ['logprob_token_ids', 'below 256', '300'] },
  { fields: { bad_words: 'no' }, param: 'bad_words', states: ['bad_words', 'array of strings', 'string of length 2'] },
  { fields: { bad_words: [1] }, param: 'bad_words', states: ['bad_words', 'got 1'] },
  { fields: { bad_words: [' '] }, param: 'bad_words', states: ['bad_words', 'spaces'] },
  { fields: { bad_words: IDS_129.map(String) }, param: 'bad_words', states: ['bad_words', '128', '129'] },
  { fields: { bad_words: ['x'.repeat(257)] }, param: 'bad_words', states: ['bad_words', '256', '257'] },
  { fields: { prompt_logprobs: 21 }, param: 'prompt_logprobs', states: ['prompt_logprobs', '<= 20', '21'] },
  { fields: { prompt_logprobs: 1, stream: true }, param: 'prompt_logprobs', states: ['prompt_logprobs', 'stream', 'got 1'] },
  { fields: { truncate_prompt_tokens: -2 }, param: 'truncate_prompt_tokens', states: ['truncate_prompt_tokens', '>= -1', '-2'] },
  { fields: { truncate_prompt_tokens: 0 }, param: 'truncate_prompt_tokens', states: ['truncate_prompt_tokens', '>= 1', 'got 0'] },
  { fields: { priority: 1001 }, param: 'priority', states: ['priority', '<= 1000', '1001'] },
  { fields: { priority: -1001 }, param: 'priority', states: ['priority', '>= -1000', '-1001'] },
  { fields: { priority: 0.5 }, param: 'priority', states: ['priority', 'an integer', '0.5'] },
  { fields: { request_id: 'with space' }, param: 'request_id', states: ['request_id', '128', 'string of length 10'] },
  { fields: { request_id: 'x'.repeat(129) }, param: 'request_id', states: ['request_id', '128', '129'] },
  { fields: { timings: 'yes' }, param: 'timings', states: ['timings', 'a boolean'] },
  { fields: { skip_special_tokens: 0 }, param: 'skip_special_tokens', states: ['skip_special_tokens', 'a boolean', 'got 0'] },
  { fields: { add_special_tokens: 'no' }, param: 'add_special_tokens', states: ['add_special_tokens', 'a boolean'] },
  { fields: { include_stop_str_in_output: 1 }, param: 'include_stop_str_in_output', states: ['include_stop_str_in_output', 'a boolean'] },
  { fields: { return_tokens_as_token_ids: 1 }, param: 'return_tokens_as_token_ids', states: ['return_tokens_as_token_ids', 'a boolean'] },
  {
    fields: { stream: true, stream_options: { continuous_usage_stats: 2 } },
    param: 'stream_options.continuous_usage_stats',
    states: ['a boolean', 'got 2']
  },
  { fields: { cache_salt: '' }, param: 'cache_salt', states: ['cache_salt', '1', '0'] },
  { fields: { prompt: '' }, param: 'prompt', states: ['prompt', 'non-empty'] },
  { fields: { prompt: [] }, param: 'prompt', states: ['prompt', 'non-empty'] },
  { fields: { prompt: [''] }, param: 'prompt', states: ['prompt', 'non-empty'] },
  { fields: { prompt: [[]] }, param: 'prompt', states: ['prompt', 'non-empty'] },
  { fields: { prompt: null }, param: 'prompt', states: ['prompt'] },
  { fields: { prompt: 7 }, param: 'prompt', states: ['prompt', 'got 7'] },
  { fields: { prompt: ['a', 1] }, param: 'prompt', states: ['prompt', 'got 1'] },
  { fields: { prompt: [1, 'a'] }, param: 'prompt', states: ['prompt', 'string'] },
  { fields: { prompt: [[1], 'a'] }, param: 'prompt', states: ['prompt', 'string'] },
  { fields: { prompt: [1, -1] }, param: 'prompt', states: ['prompt', '-1'] },
  { fields: { prompt: [1, 1.5] }, param: 'prompt', states: ['prompt', '1.5'] },
  { fields: { prompt: [1, 256] }, param: 'prompt', states: ['prompt', 'below 256', 'got 256'] },
  { fields: { prompt: Array(131_073).fill(1) }, param: 'prompt', states: ['prompt', '131072', '131073'] },
  { fields: { prompt: Array.from({ length: 65 }, () => 'a') }, param: 'prompt', states: ['prompt', '64', '65'] }
])('refuses $fields, naming field, bound and value', async ({ fields, param, states }) => {
  const { response, queue } = await post({ ...GOOD, ...fields })
  expect(response.statusCode).toBe(400)
  const { error } = response.json()
  expect(error).toEqual({ message: expect.any(String), type: 'invalid_request_error', param, code: null })
  for (const word of states) expect(error.message).toContain(word)
  expect(queue.submitted).toEqual([])
})

it.each([{}, { model: null, prompt: 'hi' }])('refuses a body without a model: %j', async body => {
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

it.each([[[]], ['"text"'], [3]])('refuses a body that is not an object: %j', async body => {
  const { response } = await post(body)
  expect(response.statusCode).toBe(400)
  expect(response.json().error.message).toContain('JSON object')
})

it('treats null as the default of every option', async () => {
  const names =
    'max_tokens temperature top_p top_k min_p n stop seed stream stream_options background logprobs echo presence_penalty frequency_penalty'
  const more = `logit_bias ignore_eos return_token_ids best_of suffix user cache_salt min_tokens stop_token_ids include_stop_str_in_output
    repetition_penalty typical_p bad_words allowed_token_ids prompt_logprobs return_tokens_as_token_ids logprob_token_ids
    truncate_prompt_tokens skip_special_tokens add_special_tokens priority request_id timings background`
  const nulls = Object.fromEntries(`${names} ${more}`.split(/\s+/).map(name => [name, null]))
  const { response, request } = await post({ ...GOOD, ...nulls })
  expect(response.statusCode).toBe(200)
  expect(response.headers['x-ignored-params']).toBeUndefined()
  expect(request).toEqual({
    ...PLAIN_REQUEST,
    id: expect.stringMatching(/^cmpl-[0-9a-f]{32}$/),
    prompts: [{ tokenIds: [104, 105] }],
    maxNewTokens: 16,
    sampling: { ...PLAIN_SAMPLING, temperature: 1, seed: expect.any(Number) },
    cacheSalt: 'caller',
    admittedAtMs: 1_700_000_000_500,
    delivery: { ...PLAIN_DELIVERY, owner: 'caller', presentation: request?.delivery.presentation }
  })
})

it('converts every option to the internal form', async () => {
  const { request } = await post({
    ...GOOD,
    prompt: [
      [1, 2],
      [3, 4]
    ],
    max_tokens: 9,
    min_tokens: 3,
    temperature: 0.5,
    top_p: 0.5,
    top_k: -1,
    min_p: 0.1,
    typical_p: 0.7,
    n: 2,
    best_of: 3,
    stop: 'END',
    stop_token_ids: [9, 9, 8],
    include_stop_str_in_output: true,
    seed: -7,
    logprobs: 1,
    logprob_token_ids: [4, 5],
    prompt_logprobs: 4,
    presence_penalty: -2,
    frequency_penalty: 2,
    repetition_penalty: 1.5,
    logit_bias: { 5: -100, 6: 0.5 },
    allowed_token_ids: [7, 8],
    bad_words: ['no', ' x'],
    ignore_eos: true,
    skip_special_tokens: false,
    user: 'someone',
    cache_salt: 'pepper',
    priority: -3
  })
  expect(request).toMatchObject({
    prompts: [{ tokenIds: [1, 2] }, { tokenIds: [3, 4] }],
    choicesPerPrompt: 3,
    shownPerPrompt: 2,
    standsFor: 1,
    maxNewTokens: 9,
    stopStrings: ['END'],
    stopTokenIds: [9, 8],
    includeStop: true,
    topLogprobs: 1,
    scoredTokenIds: [4, 5],
    echo: true,
    promptLogprobs: 4,
    ignoreEos: true,
    skipSpecialTokens: false,
    cacheSalt: 'caller:pepper',
    delivery: { priority: -3 }
  })
  expect(request?.sampling).toEqual({
    temperature: 0.5,
    topP: 0.5,
    topK: 0,
    minP: 0.1,
    typicalP: 0.7,
    repetitionPenalty: 1.5,
    presencePenalty: -2,
    frequencyPenalty: 2,
    logitBias: [
      [5, -100],
      [6, 0.5]
    ],
    allowedTokenIds: [7, 8],
    badWords: [[110, 111], [120]],
    minNewTokens: 3,
    seed: -7
  })
})

it('accepts 64 stop strings', async () => {
  const stop = Array.from({ length: 64 }, (_, at) => `stop ${at}`)
  expect((await post({ ...GOOD, stop })).request?.stopStrings).toEqual(stop)
})

it.each(['9007199254740993', '-9007199254740993', '9223372036854775807', '-9223372036854775808', '18446744073709551615'])(
  'accepts the 64-bit seed %s, and always parses it to the same value',
  async seed => {
    const seedOf = async () => (await post(`{"model":"tiny","prompt":"hi","seed":${seed}}`)).request?.sampling.seed
    expect(await seedOf()).toBe(Number(seed))
    expect(await seedOf()).toBe(Number(seed))
  }
)

it('treats top_p 0 as greedy sampling, whatever the other options are', async () => {
  const { request } = await post({ ...GOOD, top_p: 0, temperature: 1.5, n: 3 })
  expect(request).toMatchObject({ choicesPerPrompt: 1, shownPerPrompt: 3, sampling: { temperature: 0, topP: 1 } })
})

it.each([
  { requested: { n: 3 }, choices: { choicesPerPrompt: 1, shownPerPrompt: 3, standsFor: 3 } },
  { requested: { n: 2, best_of: 5 }, choices: { choicesPerPrompt: 1, shownPerPrompt: 2, standsFor: 5 } }
])('computes one choice for all with greedy sampling: $requested', async ({ requested, choices }) => {
  expect((await post({ ...GOOD, ...requested, temperature: 0 })).request).toMatchObject(choices)
})

it.each([
  { requested: { best_of: 2 }, scores: { topLogprobs: 0, promptLogprobs: null, echo: false } },
  { requested: { logprob_token_ids: [1] }, scores: { topLogprobs: 0, promptLogprobs: null, echo: false } },
  { requested: { echo: true }, scores: { topLogprobs: null, promptLogprobs: null, echo: true } },
  { requested: { echo: true, logprobs: 2 }, scores: { topLogprobs: 2, promptLogprobs: 2, echo: true } },
  { requested: { prompt_logprobs: 3 }, scores: { topLogprobs: null, promptLogprobs: 3, echo: true } },
  { requested: { echo: true, logprobs: 2, prompt_logprobs: 1 }, scores: { topLogprobs: 2, promptLogprobs: 2, echo: true } }
])('computes only the scores that $requested needs', async ({ requested, scores }) => {
  expect((await post({ ...GOOD, ...requested })).request).toMatchObject(scores)
})

it.each([
  { truncate_prompt_tokens: 3, max_tokens: 1, ids: [99, 100, 101] },
  { truncate_prompt_tokens: 9, max_tokens: 1, ids: [97, 98, 99, 100, 101] },
  { truncate_prompt_tokens: -1, max_tokens: 61, ids: [99, 100, 101] }
])('keeps the last tokens of a prompt that is truncated to $truncate_prompt_tokens', async ({ ids, ...requested }) => {
  expect((await post({ ...GOOD, ...requested, prompt: 'abcde' })).request?.prompts).toEqual([{ tokenIds: ids }])
})

it('puts prompt and suffix into the fill-in-the-middle form of the model', async () => {
  const text = { ...TEXT, facts: { ...TEXT.facts, fillInTheMiddle: { prefix: 1, suffix: 2, middle: 3 } } }
  const { request } = await post({ ...GOOD, prompt: 'abcd', suffix: 'yz', truncate_prompt_tokens: 2 }, false, text)
  expect(request?.prompts).toEqual([{ tokenIds: [1, 99, 100, 2, 121, 122, 3] }])
  const { response } = await post({ ...GOOD, suffix: 'yz', echo: true }, false, text)
  expect(response.json().error).toMatchObject({ param: 'suffix' })
})

it('refuses a long suffix before it is appended to each of many prompts', async () => {
  let read = 0
  const after = new Proxy(Array(64).fill(1), {
    get: (target, key, receiver) => {
      if (key === '0') read++
      return Reflect.get(target, key, receiver)
    }
  })
  const encode: TextPort['encode'] = async (one, options) => (one === 'yz' ? after : await TEXT.encode(one, options))
  const text = { ...TEXT, encode, facts: { ...TEXT.facts, fillInTheMiddle: { prefix: 1, suffix: 2, middle: 3 } } }
  const { response } = await post({ ...GOOD, prompt: Array(64).fill('a'), suffix: 'yz' }, false, text)
  expect(response.json().error.code).toBe('context_length_exceeded')
  expect(read).toBeLessThanOrEqual(1)
})

it('treats an empty suffix as none', async () => {
  expect((await post({ ...GOOD, suffix: '' })).request?.prompts).toEqual([{ tokenIds: [104, 105] }])
})

it('returns the client’s own id of the request, which identifies nothing on the server', async () => {
  const { response, request } = await post({ ...GOOD, request_id: 'mine/7' })
  expect(response.headers['x-client-request-id']).toBe('mine/7')
  expect(request?.id).not.toContain('mine')
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
])('allows $granted new tokens for a prompt of $promptTokens with max_tokens $maxTokens', async ({ promptTokens, maxTokens, granted }) => {
  const { request } = await post({ ...GOOD, prompt: 'x'.repeat(promptTokens), max_tokens: maxTokens })
  expect(request?.maxNewTokens).toBe(granted)
})

it.each([
  { promptTokens: 60, maxTokens: 5, numbers: '65 tokens (60 in your prompt; 5 for the completion)' },
  { promptTokens: 64, maxTokens: null, numbers: '80 tokens (64 in your prompt; 16 for the completion)' },
  { promptTokens: 65, maxTokens: 0, numbers: '65 tokens (65 in your prompt; 0 for the completion)' }
])('refuses a context overflow with OpenAI’s message: $numbers', async ({ promptTokens, maxTokens, numbers }) => {
  const { response } = await post({ ...GOOD, prompt: 'x'.repeat(promptTokens), max_tokens: maxTokens })
  expect(response.statusCode).toBe(400)
  expect(response.json().error).toEqual({
    message: `This model's maximum context length is 64 tokens, however you requested ${numbers}. Please reduce your prompt; or completion length.`,
    type: 'invalid_request_error',
    param: null,
    code: 'context_length_exceeded'
  })
})

it('lists ignored fields, and escapes their names in the header', async () => {
  const { response } = await post({ ...GOOD, stream: true, stream_options: { x: 1 }, 'a\r\nset-cookie: b': 1, ü: 2, dry_multiplier: 1 })
  expect(response.statusCode).toBe(200)
  expect(response.headers['x-ignored-params']).toBe('a%0D%0Aset-cookie%3A%20b, %C3%BC, dry_multiplier, stream_options.x')
  expect(response.headers['set-cookie']).toBeUndefined()
})

it('bounds number and length of the ignored names, in ASCII, so that any client can read the header', async () => {
  const name = fc.oneof(
    fc.string({ maxLength: 200 }),
    fc.string({ unit: 'grapheme', maxLength: 200 }),
    fc.string({ unit: fc.constantFrom('\ud800', '\u{1f600}', 'é') })
  )
  await fc.assert(
    fc.asyncProperty(fc.array(name, { maxLength: 60 }), async names => {
      const unknown = Object.fromEntries(names.map(one => [`x${one}`, 1]))
      const { response } = await post({ ...unknown, ...GOOD })
      expect(response.statusCode).toBe(200)
      const received = String(response.headers['x-ignored-params'] ?? '')
      expect(received).toMatch(/^[\x20-\x7e]{0,2200}$/)
      expect(received === '' ? 0 : received.split(', ').length).toBe(Math.min(32, Object.keys(unknown).length))
    }),
    { numRuns: 50 }
  )
})

it('refuses unknown fields in strict mode', async () => {
  const { response } = await post({ ...GOOD, dry_multiplier: 1 }, true)
  expect(response.statusCode).toBe(400)
  expect(response.json().error).toMatchObject({
    message: 'Unrecognized request argument supplied: dry_multiplier',
    param: 'dry_multiplier'
  })
})
