import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { LlamaConfig } from '../../../src/inference/graph/llama-config.ts'
import { checkpointLlamaConfig } from '../../../src/inference/model/checkpoint-llama-config.ts'
import { CHECKPOINT_NAMES, LLAMA_PARTS } from '../../../src/inference/model/llama-tensor-names.ts'
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

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'checkpoint-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function write(config: object, tensors: readonly FloatTensor[]): Promise<void> {
  await writeFile(join(folder, 'config.json'), JSON.stringify(config))
  await writeFile(join(folder, 'model.safetensors'), safetensorsBytes(tensors))
}

/** The tiny Llama under the published names, with a head of its own. */
async function tinyTensors(): Promise<FloatTensor[]> {
  const source = tinyWeights(TINY_LLAMA, ['head'])
  const names: [ours: string, theirs: string][] = [
    ['embedding', CHECKPOINT_NAMES.embedding],
    ['output_norm', CHECKPOINT_NAMES.outputNorm],
    ['head', CHECKPOINT_NAMES.head]
  ]
  for (let l = 0; l < TINY_LLAMA.layers; l++) {
    for (const part of LLAMA_PARTS) names.push([`layers.${l}.${part}`, CHECKPOINT_NAMES.layer(l) + CHECKPOINT_NAMES.parts[part]])
  }
  const tensors: FloatTensor[] = []
  for (const [ours, theirs] of names) {
    const info = source.info(ours)
    if (info === null) continue
    const shape = info.rows === 1 ? [info.columns] : [info.rows, info.columns]
    tensors.push({ name: theirs, shape, values: await source.float32(ours, 0, info.rows) })
  }
  return tensors
}

function prepare(): ReturnType<typeof prepareModel> {
  return prepareModel({ path: folder, quantization: 'none', cacheFolder: join(folder, 'cache') })
}

async function config(overrides: object): Promise<LlamaConfig> {
  await write({ ...CONFIG, ...overrides }, [])
  return (await checkpointLlamaConfig(join(folder, 'config.json'))).config
}

it('computes what the papers say', async () => {
  await write(CONFIG, await tinyTensors())
  const graph = await GraphUnderTest.open((await prepare()).graphPath, TINY_LLAMA, 16)
  const { logits } = await graph.run({ ids: [IDS], pasts: [0], wanted: IDS.map((_, i) => i) })
  await graph.close()
  const expected = (await referenceLogits(TINY_LLAMA, tinyWeights(TINY_LLAMA, ['head']), IDS)).flat()
  expect(Math.max(...expected.map((value, i) => Math.abs(value - (logits.flat()[i] ?? Number.NaN))))).toBeLessThan(1e-4)
})

it('names models by weights and configuration', async () => {
  await write(CONFIG, await tinyTensors())
  const { modelHash } = await prepare()
  await write({ ...CONFIG, rope_theta: 20_000 }, await tinyTensors())
  expect((await prepare()).modelHash).not.toBe(modelHash)
})

it('takes the head that the configuration names, not the one that happens to be there', async () => {
  await write({ ...CONFIG, tie_word_embeddings: true }, await tinyTensors())
  const tied = await prepare()
  await write(
    { ...CONFIG, tie_word_embeddings: true },
    (await tinyTensors()).filter(({ name }) => name !== CHECKPOINT_NAMES.head)
  )
  const same = await prepare()
  expect(await readFile(join(dirname(same.graphPath), 'weights.bin'))).toEqual(await readFile(join(dirname(tied.graphPath), 'weights.bin')))

  await write(
    CONFIG,
    (await tinyTensors()).filter(({ name }) => name !== CHECKPOINT_NAMES.head)
  )
  await expect(prepare()).rejects.toThrow(/"lm_head\.weight" is missing/)
})

it('refuses weights that it would not use', async () => {
  const extra = { name: 'model.layers.0.self_attn.o_proj.bias', shape: [64], values: new Float32Array(64) }
  await write(CONFIG, [...(await tinyTensors()), extra])
  await expect(prepare()).rejects.toThrow(/"model\.layers\.0\.self_attn\.o_proj\.bias" belongs to a kind of Llama that is not supported/)
})

it('reads rotary settings of old and new transformers', async () => {
  expect((await config({ rope_theta: 500_000 })).rotary.theta).toBe(500_000)
  expect((await config({ rope_parameters: { rope_type: 'default', rope_theta: 7000 } })).rotary.theta).toBe(7000)
  expect((await config({ rope_scaling: { rope_type: 'linear', factor: 4 } })).rotary.positionDivisor).toBe(4)
  expect((await config({ rope_scaling: { type: 'linear', factor: 2 } })).rotary.positionDivisor).toBe(2)
})

it("stretches Llama 3's long waves, keeps the short, blends between", async () => {
  const rope = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 64 }
  const { rotary } = await config({ rope_theta: 10_000, rope_scaling: rope })
  const [first, second, ...rest] = rotary.frequencyDivisors ?? []
  expect(first).toBe(1)
  expect(second).toBeGreaterThan(1)
  expect(second).toBeLessThan(8)
  expect(rest.slice(1)).toEqual(rest.slice(1).map(() => 8))
})

it.each([
  ['another family', { model_type: 'mamba' }, /model_type/],
  ['biases that it does not build', { attention_bias: true }, /attention_bias/],
  ['YaRN', { rope_scaling: { rope_type: 'yarn', factor: 4 } }, /rope_type/],
  ['a scaling under its old name', { rope_scaling: { type: 'dynamic', factor: 4 } }, /type/],
  ['another activation', { hidden_act: 'gelu' }, /hidden_act/]
])('refuses %s by naming it', async (_, overrides, message) => {
  await expect(config(overrides)).rejects.toThrow(message)
})

it('refuses a context whose tables would fill the memory', async () => {
  await write({ ...CONFIG, max_position_embeddings: 2 ** 20, head_dim: 1024 }, await tinyTensors())
  await expect(prepare()).rejects.toThrow(/a context of 1048576 with 1024 rotated dimensions is too large/)
})
