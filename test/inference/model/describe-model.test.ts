import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { describeModel } from '../../../src/inference/model/describe-model.ts'
import { ModelFileError } from '../../../src/inference/weights/model-file-error.ts'
import { writeTinyGguf } from './tiny-gguf.ts'

it('describes a GGUF file by its metadata, with the keys', async () => {
  const folder = await temporaryFolder()
  const path = join(folder, 'tiny.gguf')
  await writeTinyGguf(path, { type: 'Q8_0', metadata: [{ key: 'tokenizer.chat_template', string: '{{ x }}' }] })
  const model = await describeModel({ path, quantization: 'auto', cacheType: 'f32', cacheFolder: folder })
  expect(model).toMatchObject({
    family: { value: 'llama', source: 'GGUF general.architecture' },
    layers: { value: 2, source: 'GGUF llama.block_count' },
    heads: { value: 4, source: 'GGUF llama.attention.head_count' },
    kvHeads: { value: 2, source: 'GGUF llama.attention.head_count_kv' },
    headDim: { value: 16 },
    cacheBytesPerToken: { value: 2 * 4 * 2 * 2 * 16 },
    served: 'int8',
    chatTemplate: { value: true, source: 'GGUF tokenizer.chat_template' },
    files: [{ path, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }]
  })
  expect(model.weightTypes.value.map(({ type }) => type)).toEqual(['Q8_0', 'F32'])
})

it('describes a checkpoint by its configuration, with the names used there, and lists every file', async () => {
  const cacheFolder = await temporaryFolder()
  const [gpt2, llama] = await Promise.all(
    ['gpt2', 'llama'].map(family =>
      describeModel({
        path: fileURLToPath(new URL(`../../fixtures/families/${family}`, import.meta.url)),
        quantization: 'none',
        cacheType: 'int8',
        cacheFolder
      })
    )
  )
  expect(gpt2).toMatchObject({
    layers: { source: 'config.json n_layer' },
    kvHeads: { value: 4, source: 'one for each head' },
    served: 'none',
    chatTemplate: { value: false }
  })
  expect(llama).toMatchObject({ layers: { source: 'config.json num_hidden_layers' }, kvHeads: { value: 1 }, heads: { value: 2 } })
  expect(llama?.files.map(({ path }) => path.split('/').at(-1))).toEqual([
    'model.safetensors.index.json',
    'model-00001-of-00002.safetensors',
    'model-00002-of-00002.safetensors',
    'config.json'
  ])
})

it('rejects a model that cannot be served', async () => {
  const path = await temporaryFolder()
  await expect(describeModel({ path, quantization: 'auto', cacheType: 'f32', cacheFolder: path })).rejects.toThrow(ModelFileError)
})

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'everstream-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}
