import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { checkGpt2Config } from '../../../src/inference/model/check-gpt2-config.ts'
import { checkpointGpt2Config } from '../../../src/inference/model/checkpoint-gpt2-config.ts'
import type { Gpt2Model } from '../../../src/inference/model/gpt2-weights.ts'

/** The published gpt2's, as far as it matters. */
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

let folder: string
let path: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gpt2-config-'))
  path = join(folder, 'config.json')
})
afterAll(() => rm(folder, { recursive: true }))

async function read(config: object): Promise<Gpt2Model> {
  await writeFile(path, JSON.stringify(config))
  return checkpointGpt2Config(path)
}

it('reads the published configuration', async () => {
  expect(await read(PUBLISHED)).toEqual({
    head: 'embedding',
    config: {
      layers: 12,
      hidden: 768,
      heads: 12,
      headDim: 64,
      feedForward: 3072,
      vocabulary: 50_257,
      context: 1024,
      normEpsilon: 1e-5,
      activation: 'gelu-tanh',
      attentionScales: Array.from({ length: 12 }, () => 1 / 8)
    }
  })
})

it('reads other spellings of the same', async () => {
  const published = await read(PUBLISHED)
  expect(await read({ ...REST, n_embd, n_head, n_layer, n_ctx })).toEqual(published)
  const general = { hidden_size: n_embd, num_attention_heads: n_head, num_hidden_layers: n_layer, max_position_embeddings: n_positions }
  expect(await read({ ...REST, ...general })).toEqual(published)
  expect(await read({ ...PUBLISHED, n_inner: null, activation_function: 'gelu_pytorch_tanh' })).toEqual(published)
})

it('reads what some models do otherwise', async () => {
  expect((await read({ ...PUBLISHED, scale_attn_by_inverse_layer_idx: true })).config.attentionScales[3]).toBe(1 / 32)
  expect((await read({ ...PUBLISHED, scale_attn_weights: false })).config.attentionScales[0]).toBe(1)
  expect((await read({ ...PUBLISHED, n_inner: 100, activation_function: 'gelu' })).config).toMatchObject({
    feedForward: 100,
    activation: 'gelu'
  })
  expect((await read({ ...PUBLISHED, tie_word_embeddings: false })).head).toBe('own')
})

it.each([
  ['no width', { ...REST, n_head, n_layer, n_positions }, /is missing.*n_embd/],
  ['an activation that it does not build', { ...PUBLISHED, activation_function: 'relu' }, /activation_function/],
  ['cross attention', { ...PUBLISHED, add_cross_attention: true }, /add_cross_attention/],
  ['a million layers', { ...PUBLISHED, n_layer: 1_000_000 }, /n_layer/]
])('refuses %s by naming it', async (_, config, message) => {
  await expect(read(config)).rejects.toThrow(message)
})

it.each([
  [7, /768 hidden dimensions are no multiple of 7 heads/],
  [64, /heads have 12 dimensions, must be a multiple of 8/]
])('refuses heads that attention cannot have: %i', async (heads, message) => {
  const { config } = await read({ ...PUBLISHED, n_head: heads })
  expect(() => checkGpt2Config(path, config)).toThrow(message)
})
