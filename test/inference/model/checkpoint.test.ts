import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { parseConfigJson } from '../../../src/inference/families/definition/config-json.ts'
import { LLAMA, type LlamaConfig } from '../../../src/inference/families/llama.ts'
import { prepareModel } from '../../../src/inference/model/prepare-model.ts'
import { referenceLogits } from '../graph/reference-llama.ts'
import { GraphUnderTest } from '../graph/run-graph.ts'
import { TINY_LLAMA, tinyWeights } from '../graph/tiny-llama.ts'
import { type FloatTensor, safetensorsBytes } from '../weights/write-safetensors.ts'

const IDS = [3, 60, 7, 7, 0, 21, 63, 12, 33]
const CONFIG = {
  model_type: 'llama',
  hidden_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  intermediate_size: 96,
  vocab_size: 64,
  max_position_embeddings: 256,
  rms_norm_eps: 1e-5
}

/** Names of a layer's parts: in the graph, and in transformers. */
const LAYER_NAMES = [
  ['attention_norm', 'input_layernorm'],
  ['query', 'self_attn.q_proj'],
  ['key', 'self_attn.k_proj'],
  ['value', 'self_attn.v_proj'],
  ['attention_output', 'self_attn.o_proj'],
  ['feed_forward_norm', 'post_attention_layernorm'],
  ['gate', 'mlp.gate_proj'],
  ['up', 'mlp.up_proj'],
  ['down', 'mlp.down_proj']
] as const

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'checkpoint-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function write(config: object, tensors: readonly FloatTensor[]): Promise<void> {
  await writeFile(join(folder, 'config.json'), JSON.stringify(config))
  await writeFile(join(folder, 'model.safetensors'), safetensorsBytes(tensors))
}

/** The tiny Llama with the published names and a separate head. */
async function tinyTensors(): Promise<FloatTensor[]> {
  const source = tinyWeights(TINY_LLAMA, ['head'])
  const names: [ours: string, theirs: string][] = [
    ['embedding', 'model.embed_tokens'],
    ['output_norm', 'model.norm'],
    ['head', 'lm_head']
  ]
  for (let l = 0; l < TINY_LLAMA.layers; l++) {
    for (const [ours, theirs] of LAYER_NAMES) names.push([`layers.${l}.${ours}`, `model.layers.${l}.${theirs}`])
  }
  const tensors: FloatTensor[] = []
  for (const [ours, theirs] of names) {
    const info = source.info(ours)
    if (info === null) continue
    const shape = info.rows === 1 ? [info.columns] : [info.rows, info.columns]
    tensors.push({ name: `${theirs}.weight`, shape, values: await source.float32(ours, 0, info.rows) })
  }
  return tensors
}

function prepare(): ReturnType<typeof prepareModel> {
  return prepareModel({ path: folder, quantization: 'none', cacheFolder: join(folder, 'cache') })
}

function config(overrides: object): LlamaConfig {
  return parseConfigJson('config.json', { ...CONFIG, ...overrides }, LLAMA.configJson)
}

it('computes the same logits as the reference', async () => {
  await write(CONFIG, await tinyTensors())
  const graph = await GraphUnderTest.open((await prepare()).graphPath, TINY_LLAMA, 16)
  const { logits } = await graph.run({ ids: [IDS], pasts: [0], expected: IDS.map((_, i) => i) })
  await graph.close()
  const expected = (await referenceLogits(TINY_LLAMA, tinyWeights(TINY_LLAMA, ['head']), IDS)).flat()
  expect(Math.max(...expected.map((value, i) => Math.abs(value - (logits.flat()[i] ?? Number.NaN))))).toBeLessThan(1e-4)
})

it('derives the model hash from weights and configuration', async () => {
  await write(CONFIG, await tinyTensors())
  const { modelHash } = await prepare()
  await write({ ...CONFIG, rope_theta: 20_000 }, await tinyTensors())
  expect((await prepare()).modelHash).not.toBe(modelHash)
})

it('uses the head that the configuration selects, even if the file contains another', async () => {
  await write({ ...CONFIG, tie_word_embeddings: true }, await tinyTensors())
  const tied = await prepare()
  await write(
    { ...CONFIG, tie_word_embeddings: true },
    (await tinyTensors()).filter(({ name }) => name !== 'lm_head.weight')
  )
  const same = await prepare()
  expect(await readFile(join(dirname(same.graphPath), 'weights.bin'))).toEqual(await readFile(join(dirname(tied.graphPath), 'weights.bin')))

  await write(
    CONFIG,
    (await tinyTensors()).filter(({ name }) => name !== 'lm_head.weight')
  )
  await expect(prepare()).rejects.toThrow(/"lm_head\.weight" is missing/)
})

it('rejects unused weights', async () => {
  const extra = { name: 'model.layers.0.self_attn.o_proj.bias', shape: [64], values: new Float32Array(64) }
  await write(CONFIG, [...(await tinyTensors()), extra])
  await expect(prepare()).rejects.toThrow(/"model\.layers\.0\.self_attn\.o_proj\.bias" belongs to a kind of Llama that is not supported/)
})

it('reads rotary settings of old and new transformers', () => {
  expect(config({ rope_theta: 500_000 }).rotary.theta).toBe(500_000)
  expect(config({ rope_parameters: { rope_type: 'default', rope_theta: 7000 } }).rotary.theta).toBe(7000)
  expect(config({ rope_scaling: { rope_type: 'linear', factor: 4 } }).rotary.positionDivisor).toBe(4)
  expect(config({ rope_scaling: { type: 'linear', factor: 2 } }).rotary.positionDivisor).toBe(2)
})

it("scales Llama 3's long wavelengths, keeps the short ones, interpolates between", () => {
  const rope = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 64 }
  const { rotary } = config({ rope_theta: 10_000, rope_scaling: rope })
  const [first, second, ...rest] = rotary.frequencyDivisors ?? []
  expect(first).toBe(1)
  expect(second).toBeGreaterThan(1)
  expect(second).toBeLessThan(8)
  expect(rest.slice(1)).toEqual(rest.slice(1).map(() => 8))
})

it.each([
  ['biases that it does not build', { attention_bias: true }, /attention_bias is true, must be false/],
  [
    'YaRN',
    { rope_scaling: { rope_type: 'yarn', factor: 4 } },
    /rope_scaling\.rope_type is "yarn", must be "default" or "linear" or "llama3"/
  ],
  ['a scaling under its old name', { rope_scaling: { type: 'dynamic', factor: 4 } }, /rope_scaling\.type is "dynamic"/],
  ['another activation', { hidden_act: 'gelu' }, /hidden_act is "gelu", must be "silu"/],
  ['heads of which a part is rotated', { partial_rotary_factor: 0.5 }, /partial_rotary_factor is 0\.5, must be 1/],
  [
    'unsupported head sizes in the format of transformers 5',
    { rope_parameters: { partial_rotary_factor: 0.5 } },
    /rope_parameters\.partial_rotary_factor is 0\.5/
  ]
])('rejects %s and names field and value', (_, overrides, message) => {
  expect(() => config(overrides)).toThrow(message)
})

it('rejects another family and names the supported ones', async () => {
  await write({ ...CONFIG, model_type: 'mamba' }, [])
  await expect(prepare()).rejects.toThrow(/model_type is "mamba", supported are .*"llama"/)
})

it('rejects a context whose tables are too large', async () => {
  await write({ ...CONFIG, max_position_embeddings: 2 ** 20, head_dim: 1024 }, await tinyTensors())
  await expect(prepare()).rejects.toThrow(/a context of 1048576 with 1024 rotated dimensions is too large/)
})
