import { expect, it } from 'vitest'
import { parseConfigJson } from '../../../src/inference/families/definition/config-json.ts'
import { GPT2, type Gpt2Config } from '../../../src/inference/families/gpt2.ts'

/** The relevant fields of the published gpt2's config.json. */
const PUBLISHED = {
  activation_function: 'gelu_new',
  layer_norm_epsilon: 1e-5,
  model_type: 'gpt2',
  n_ctx: 1024,
  n_embd: 768,
  n_head: 12,
  n_layer: 12,
  n_positions: 1024,
  vocab_size: 50_257
}
const { n_ctx, n_embd, n_head, n_layer, n_positions, ...REST } = PUBLISHED

function read(config: object): Gpt2Config {
  return parseConfigJson('config.json', config, GPT2.configJson)
}

it('reads the published configuration', () => {
  expect(read(PUBLISHED)).toEqual({
    layers: 12,
    hidden: 768,
    heads: 12,
    kvHeads: 12,
    headDim: 64,
    feedForward: 3072,
    vocabulary: 50_257,
    context: 1024,
    normEpsilon: 1e-5,
    activation: 'gelu-tanh',
    attentionScales: Array.from({ length: 12 }, () => 1 / 8),
    head: 'ignored'
  })
})

it('reads alternative names of fields', () => {
  const published = read(PUBLISHED)
  expect(read({ ...REST, n_embd, n_head, n_layer, n_ctx })).toEqual(published)
  const general = { hidden_size: n_embd, num_attention_heads: n_head, num_hidden_layers: n_layer, max_position_embeddings: n_positions }
  expect(read({ ...REST, ...general })).toEqual(published)
  expect(read({ ...PUBLISHED, n_inner: null, activation_function: 'gelu_pytorch_tanh' })).toEqual(published)
})

it('reads the options of other GPT-2 models', () => {
  expect(read({ ...PUBLISHED, scale_attn_by_inverse_layer_idx: true }).attentionScales[3]).toBe(1 / 32)
  expect(read({ ...PUBLISHED, scale_attn_weights: false }).attentionScales[0]).toBe(1)
  expect(read({ ...PUBLISHED, n_inner: 100, activation_function: 'gelu' })).toMatchObject({
    feedForward: 100,
    activation: 'gelu'
  })
  expect(read({ ...PUBLISHED, tie_word_embeddings: false }).head).toBe('required')
})

it.each([
  ['no width', { ...REST, n_head, n_layer, n_positions }, /config\.json: n_embd is missing/],
  ['an unsupported activation', { ...PUBLISHED, activation_function: 'relu' }, /activation_function is "relu", must be "gelu_new" or/],
  ['cross attention', { ...PUBLISHED, add_cross_attention: true }, /add_cross_attention is true, must be false/],
  ['a million layers', { ...PUBLISHED, n_layer: 1_000_000 }, /n_layer is 1000000/]
])('rejects %s and names field and value', (_, config, message) => {
  expect(() => read(config)).toThrow(message)
})

it.each([
  [7, /768 hidden dimensions are no multiple of 7 heads/],
  [64, /heads have 12 dimensions, must be a multiple of 8/]
])('rejects a number of heads that attention does not support: %i', (heads, message) => {
  expect(GPT2.problem(read({ ...PUBLISHED, n_head: heads }))).toMatch(message)
})
