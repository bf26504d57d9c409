import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { checkpointGpt2Config } from '../../../src/inference/model/checkpoint-gpt2-config.ts'
import { checkpointGpt2Names, GGUF_GPT2_NAMES, GPT2_PARTS } from '../../../src/inference/model/gpt2-tensor-names.ts'
import { gpt2Weights } from '../../../src/inference/model/gpt2-weights.ts'
import { prepareModel } from '../../../src/inference/model/prepare-model.ts'
import { openSafetensors } from '../../../src/inference/weights/safetensors.ts'
import { type MetadataEntry, type TensorEntry, writeGguf } from '../weights/write-gguf.ts'
import { largestDifference, referenceCases, runCases } from './reference-run.ts'

const CHECKPOINT = fileURLToPath(new URL('../../fixtures/families/gpt2', import.meta.url))
const F32 = 0

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gguf-gpt2-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** The checkpoint as llama.cpp's converter writes it. */
async function convert(path: string): Promise<void> {
  const { config } = await checkpointGpt2Config(join(CHECKPOINT, 'config.json'))
  await using file = await openSafetensors(join(CHECKPOINT, 'model.safetensors'))
  const source = gpt2Weights(file, config, checkpointGpt2Names(file), 'embedding')
  const names = [
    ['embedding', GGUF_GPT2_NAMES.embedding],
    ['positions', GGUF_GPT2_NAMES.positions],
    ...withBias('output_norm', GGUF_GPT2_NAMES.outputNorm),
    ...Array.from({ length: config.layers }, (_, l) =>
      GPT2_PARTS.flatMap(part => withBias(`layers.${l}.${part}`, GGUF_GPT2_NAMES.layer(l) + GGUF_GPT2_NAMES.parts[part]))
    ).flat()
  ] as const
  const tensors: TensorEntry[] = []
  for (const [ours, theirs] of names) {
    const { rows, columns } = source.info(ours) ?? { rows: 0, columns: 0 }
    const values = await source.float32(ours, 0, rows)
    tensors.push({
      name: theirs,
      shape: [rows, columns].filter(size => size !== 1),
      typeId: F32,
      bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    })
  }
  const metadata: MetadataEntry[] = [
    { key: 'general.architecture', string: 'gpt2' },
    { key: 'gpt2.block_count', u32: config.layers },
    { key: 'gpt2.context_length', u32: config.context },
    { key: 'gpt2.embedding_length', u32: config.hidden },
    { key: 'gpt2.feed_forward_length', u32: config.feedForward },
    { key: 'gpt2.attention.head_count', u32: config.heads },
    { key: 'gpt2.attention.layer_norm_epsilon', f32: config.normEpsilon }
  ]
  await writeGguf(path, metadata, tensors)
}

function withBias(ours: string, theirs: string): (readonly [ours: string, theirs: string])[] {
  return [
    [ours, `${theirs}.weight`],
    [`${ours}.bias`, `${theirs}.bias`]
  ]
}

it('says the same as the checkpoint that it was converted from', async () => {
  const path = join(folder, 'gpt2.gguf')
  await convert(path)
  const model = await prepareModel({ path, quantization: 'none', cacheFolder: join(folder, 'cache') })
  const cases = await referenceCases(CHECKPOINT)
  const runs = await runCases(model, cases)
  for (const [i, { last_logits, prompt_logprobs }] of cases.entries()) {
    expect(largestDifference(runs[i]?.lastLogits ?? [], last_logits)).toBeLessThan(1e-4)
    expect(largestDifference(runs[i]?.promptLogprobs ?? [], prompt_logprobs)).toBeLessThan(1e-4)
  }
})
